"""phrasebox ground: region-phrase pairs of every caption."""

from __future__ import annotations

from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.shared import EngineName, bulk_engine, say, session


def ground(
    ws: WorkspacePath,
    /,
    *,
    model: str | None = None,
    beta: float | None = None,
    fresh: bool = False,
    engine: EngineName = "local",
    address: str | None = None,
    common: Common = COMMON,
) -> None:
    """Decode which words of every caption describe which region.

    Parameters
    ----------
    model
        A model's folder or hub id; the workspace's own otherwise, or the built-in one.
    beta
        Chain strength; the model's own otherwise.
    fresh
        Decode anew with another model or beta.
    engine
        local, processes of this machine, or ray, a cluster.
    address
        Of a Ray cluster, such as auto or HOST:6379; one is started on this machine otherwise.
    """
    from phrasebox.pipeline.local import Counts
    from phrasebox.stages.ground import ground as job
    from phrasebox.stages.ground import is_grounded

    where = bulk_engine(common, engine, address)
    with session(ws, common) as opened:
        workspace = opened.workspace
        if not fresh and is_grounded(workspace, model, beta):
            counts = Counts()
        else:
            counts = job(workspace, opened.aligner(model), beta, fresh, opened.silent, where)
        grounded, pairs = workspace.keys("phrases"), workspace.count("phrases")
        captions = sum(len(row.captions) for batch in workspace.images(keys=grounded) for row in batch)
    say(
        common,
        {"images": len(grounded), "captions": captions, "pairs": pairs, "new_images": counts.done},
        f"{captions} captions of {len(grounded)} images became {pairs} region-phrase pairs, "
        f"{counts.done} images of them new",
    )

"""phrasebox index: prepare a workspace for searching many images."""

from __future__ import annotations

from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.shared import EngineName, bulk_engine, say, session


def index(
    ws: WorkspacePath,
    /,
    *,
    backend: str = "lancedb",
    url: str | None = None,
    model: str | None = None,
    fresh: bool = False,
    engine: EngineName = "local",
    address: str | None = None,
    common: Common = COMMON,
) -> None:
    """Index what was embedded for search, add what is new, and measure what the index finds.

    Parameters
    ----------
    backend
        lancedb, inside the workspace, or qdrant.
    url
        Of a Qdrant server; without it Qdrant runs inside this process.
    model
        An aligner's folder or hub id; the workspace's own otherwise, or the built-in one.
    fresh
        Make the index anew.
    engine
        Where images are embedded: local, processes of this machine, or ray, a cluster.
    address
        Of a Ray cluster, such as auto or HOST:6379; one is started on this machine otherwise.
    """
    from phrasebox.search import build_index

    where = bulk_engine(common, engine, address)
    with session(ws, common, writes=False) as opened:
        aligner = opened.aligner(model)
        made = build_index(opened.workspace, aligner, backend, url, common.seed, fresh, opened.silent, where)
    say(common, made.to_json(), made.told())

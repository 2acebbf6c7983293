"""phrasebox index: build a search index for large workspaces."""

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
    prior: float | None = None,
    fresh: bool = False,
    engine: EngineName = "local",
    address: str | None = None,
    common: Common = COMMON,
) -> None:
    """Embed and index the images for search, add new ones to an existing index, and measure the index's recall.

    Parameters
    ----------
    backend
        lancedb (inside the workspace) or qdrant.
    url
        URL of a Qdrant server; without it, Qdrant runs inside this process.
    model
        Folder or hub id of an aligner; or names or an image-text model (open_clip:ID, hf:ID), to do without captions.
        Default: the workspace's own, or the built-in one.
    prior
        Weight of the prior (class names, or an image-text backbone) beside the learned scores, 0 for none. Default: the
        model's own.
    fresh
        Discard the existing index and build it again.
    engine
        Where images are embedded: local (processes on this machine) or ray (a cluster).
    address
        Address of the Ray cluster, such as auto or HOST:6379; default: start one on this machine.
    """
    from phrasebox.search import build_index
    from phrasebox.stages.ground import named_model
    from phrasebox.workspace.run_log import Run

    where = bulk_engine(common, engine, address)
    with session(ws, common, writes=False) as opened:
        aligner = opened.aligner(model, prior)
        made = build_index(opened.workspace, aligner, backend, url, common.seed, fresh, opened.silent, where)
        asked = {"backend": backend, "url": url, "model": named_model(opened.workspace, aligner), "prior": prior}
        opened.workspace.note(Run("index", {**asked, "device": aligner.device}, {}, common.seed, f"index/{backend}"))
    say(common, made.to_json(), made.told())

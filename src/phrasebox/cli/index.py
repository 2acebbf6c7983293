"""phrasebox index: prepare a workspace for searching many images."""

from __future__ import annotations

from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.shared import say, session


def index(
    ws: WorkspacePath,
    /,
    *,
    backend: str = "lancedb",
    url: str | None = None,
    model: str | None = None,
    fresh: bool = False,
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
    """
    from phrasebox.search import build_index

    with session(ws, common, writes=False) as opened:
        made = build_index(opened.workspace, opened.aligner(model), backend, url, common.seed, fresh, opened.silent)
    say(common, made.to_json(), made.told())

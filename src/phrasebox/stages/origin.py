"""Sources and licences of a workspace's images and captions, for model and data cards."""

from __future__ import annotations

from pathlib import PurePosixPath

from phrasebox.models.cards import NOT_STATED
from phrasebox.stages.import_ import STAGE
from phrasebox.workspace.workspace import Workspace


def origin(ws: Workspace) -> tuple[str, str]:
    """Names of the imported sources, and the licences that were stated for them."""
    imports = [run.arguments for run in ws.runs if run.stage == STAGE]
    names = dict.fromkeys(PurePosixPath(asked["source"]).name for asked in imports)
    licences = dict.fromkeys(asked["licence"] or NOT_STATED for asked in imports)
    return ", ".join(names) or NOT_STATED, "; ".join(licences) or NOT_STATED

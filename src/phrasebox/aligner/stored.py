"""Where aligners are stored and what their files say, without torch: enough to see that there is nothing to compute."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from phrasebox.io.model_folder import find_model, read_config, stored_id
from phrasebox.workspace.workspace import Workspace

KIND = "phrasebox aligner"
BUILT_IN_NAME = "built-in"
BUILT_IN = Path(str(resources.files("phrasebox") / "pretrained" / "aligner"))
NAME = "aligner"


def aligner_folder(source: str | Path | None) -> Path:
    """The folder of the aligner named; of the built-in one without a name, or with ``built-in``.

    Raises
    ------
    ModelError
        As `phrasebox.io.model_folder.find_model`.
    """
    return BUILT_IN if source is None or source == BUILT_IN_NAME else find_model(source)


def aligner_source(ws: Workspace, source: str | Path | None) -> str | Path | None:
    """The aligner to use on a workspace: the one named, else the one trained in it, else None, the built-in one."""
    trained = ws.models / NAME
    return source or (trained if (trained / "config.json").exists() else None)


def grounds_with(ws: Workspace, source: str | Path | None, beta: float | None) -> dict[str, object]:
    """The settings that the stage ``ground`` records for an aligner and a beta, read from the aligner's files.

    Raises
    ------
    ModelError
        If they cannot be read.
    """
    folder = aligner_folder(aligner_source(ws, source))
    config = read_config(folder, KIND)
    return {"model": stored_id(folder), "beta": config.get("beta") if beta is None else beta}

"""Where aligners are stored and what their files say, without torch: enough to see that there is nothing to compute."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from phrasebox.io.model_folder import read_config, stored_id
from phrasebox.models.saved_model import model_folder, model_source
from phrasebox.workspace.workspace import Workspace

KIND = "phrasebox aligner"
BUILT_IN = Path(str(resources.files("phrasebox") / "pretrained" / "aligner"))
NAME = "aligner"


def grounds_with(ws: Workspace, source: str | Path | None, beta: float | None) -> dict[str, object]:
    """The settings that the stage ``ground`` records for an aligner and a beta, read from the aligner's files.

    Raises
    ------
    ModelError
        If they cannot be read.
    """
    folder = model_folder(model_source(ws, NAME, source), BUILT_IN)
    config = read_config(folder, KIND)
    return {"model": stored_id(folder), "beta": config.get("beta") if beta is None else beta}

"""Where aligners are stored and what their files say, without torch: enough to see that there is nothing to compute."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from phrasebox.aligner.settings import ModelSettings
from phrasebox.errors import ModelError, SettingsError
from phrasebox.io.model_folder import read_config, stored_id
from phrasebox.models.saved_model import model_folder, model_source
from phrasebox.workspace.workspace import Workspace

KIND = "phrasebox aligner"
BUILT_IN = Path(str(resources.files("phrasebox") / "pretrained" / "aligner"))
NAME = "aligner"
NAMES = "names"
"""Name of the aligner that knows the class names of the backbones alone."""
NOTHING = "nothing"
"""Name, as what a training starts from, of random weights."""


def made_with(model: str, beta: Any, prior: float) -> dict[str, Any]:
    """The settings that the stage ``ground`` records: a hash of the network, beta, and the prior's weight if any."""
    return {"model": model, "beta": beta} | ({"prior": prior} if prior else {})


def grounds_with(
    ws: Workspace, source: str | Path | None, beta: float | None, prior: float | None
) -> dict[str, Any] | None:
    """`made_with` for an aligner, read from its files; None if it has none.

    Raises
    ------
    ModelError
        If they cannot be read.
    """
    if source == NAMES:
        return None
    folder = model_folder(model_source(ws, NAME, source), BUILT_IN)
    config = read_config(folder, KIND)
    try:
        own = ModelSettings(**config["model"]).prior_weight
    except (KeyError, TypeError, SettingsError) as error:
        raise ModelError(f"the config of {folder} does not describe an aligner of this version: {error}") from error
    return made_with(stored_id(folder), config.get("beta") if beta is None else beta, own if prior is None else prior)

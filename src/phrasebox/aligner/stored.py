"""Where aligners are stored and what their files say, without torch: enough to see that there is nothing to compute."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from phrasebox.aligner.settings import ModelSettings
from phrasebox.errors import ModelError, SettingsError
from phrasebox.io.model_folder import read_config, stored_id
from phrasebox.models.saved_model import model_folder, model_source
from phrasebox.regions.backbone_names import WITH_TEXT, family_of
from phrasebox.workspace.workspace import Workspace

KIND = "phrasebox aligner"
BUILT_IN = Path(str(resources.files("phrasebox") / "pretrained" / "aligner"))
NAME = "aligner"
NAMES = "names"
"""Name of the aligner that knows the class names of the backbones alone, and of that prior."""
NOTHING = "nothing"
"""Name, as what a training starts from, of random weights."""


def is_prior(source: str | Path | None) -> bool:
    """Whether a model's name means a prior alone: the class names, or an image-text model.

    >>> is_prior("names"), is_prior("hf:google/siglip2-base-patch16-224"), is_prior("owner/name")
    (True, True, False)
    """
    return source == NAMES or (isinstance(source, str) and family_of(source) in WITH_TEXT)


def made_with(model: str, beta: Any, prior: float, nouns: bool, prior_from: str = "") -> dict[str, Any]:
    """The settings that the stage ``ground`` records.

    They are a hash of the network, beta, the prior's weight if any, whether phrases are noun phrases (``nouns``), and
    what the prior is, if that is not left to the backbones. Versions whose phrases kept verbs recorded nothing about
    phrases.
    """
    own = {"prior": prior, **({"prior_from": prior_from} if prior_from else {})} if prior else {}
    return {"model": model, "beta": beta} | own | ({"phrases": "nouns"} if nouns else {})


def grounds_with(
    ws: Workspace, source: str | Path | None, beta: float | None, prior: float | None, verbs: bool = False
) -> dict[str, Any] | None:
    """`made_with` for an aligner, read from its files; None if it has none.

    Raises
    ------
    ModelError
        If they cannot be read.
    """
    if is_prior(source):
        return None
    folder = model_folder(model_source(ws, NAME, source), BUILT_IN)
    config = read_config(folder, KIND)
    try:
        own = ModelSettings(**config["model"])
    except (KeyError, TypeError, SettingsError) as error:
        raise ModelError(f"the config of {folder} does not describe an aligner of this version: {error}") from error
    beta, prior = config.get("beta") if beta is None else beta, own.prior_weight if prior is None else prior
    return made_with(stored_id(folder), beta, prior, own.normalise and not verbs, own.prior_from)

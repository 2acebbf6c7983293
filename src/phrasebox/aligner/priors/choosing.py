"""Which prior goes with the backbones of region vectors."""

from __future__ import annotations

from functools import cache

from phrasebox.aligner.priors.base import Prior
from phrasebox.aligner.priors.class_names import load_class_names
from phrasebox.aligner.priors.image_text import ImageText
from phrasebox.aligner.priors.text_towers import load_text_tower
from phrasebox.aligner.stored import NAMES
from phrasebox.errors import ModelError
from phrasebox.regions.backbone_names import WITH_TEXT, family_of
from phrasebox.regions.backbones.finetuned import same_network
from phrasebox.regions.settings import RegionSettings


@cache
def load_prior(settings: RegionSettings, source: str = "") -> Prior | None:
    """The prior of the backbones of region settings; None if they have none.

    Parameters
    ----------
    source : str
        ``names`` for the class names of their classifiers, or the name of an image-text model, whose image side must be
        one of the backbones. Without it, the image-text model if there is one among them, else the class names.

    Raises
    ------
    ModelError
        If the model is none of the backbones or reads no texts, or cannot be loaded.
    """
    for name in (settings.backbone, settings.second) if source != NAMES else ():
        if family_of(name) not in WITH_TEXT or (source and not same_network(name, source)):
            continue
        tower = load_text_tower(name)
        if tower is not None:
            part = tower.width + len(settings.layers_of(name)) * tower.patch_width
            return ImageText(tower, part, second=name == settings.second)
        if source:
            raise ModelError(f"{name} reads no texts, so that it is no prior; name an image-text model, or {NAMES}")
    if source not in ("", NAMES):
        option = "--second" if settings.second else "--backbone"
        raise ModelError(
            f"the regions were not made with {source}; make them with: phrasebox regions WS {option} {source} --fresh"
        )
    return load_class_names(settings)

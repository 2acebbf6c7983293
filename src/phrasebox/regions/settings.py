"""How an image becomes a set of region vectors: the settings, their presets, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from phrasebox.errors import ModelError, SettingsError
from phrasebox.io.model_folder import find_model, read_config
from phrasebox.regions.backbones import load_network
from phrasebox.regions.backbones.finetuned import found_with, keep_with, same_network
from phrasebox.regions.proposers import PROPOSERS
from phrasebox.regions.proposers.grid import LEVELS
from phrasebox.regions.proposers.selective_search import SMALLEST_SIDE


@dataclass(frozen=True, slots=True)
class RegionSettings:
    """How an image becomes a set of region vectors.

    Attributes
    ----------
    proposer : str
        Where boxes come from: ``selective_search``, ``grid``, ``detector`` or ``given``.
    regions : int
        Regions kept an image, the whole image included; given boxes are all kept.
    backbone : str
        The network, as for `phrasebox.regions.backbones.load_backbone`.
    size : int or None
        Side in pixels to which the whole image is squashed for the network; None is the network's own.
    pooling : {"roi", "crops"}
        ``roi`` runs the network once and pools every box from its map; ``crops`` runs it on every box.
    crop_size : int
        Side in pixels to which every box is squashed with ``crops``.
    second : str
        A second network, which reads the whole image and whose vectors of the kept boxes are put behind those of
        ``backbone``; empty for none. An aligner learns from each apart (`phrasebox.aligner.AlignerModel`).
    second_size : int or None
        As ``size``, for the second network.
    bins : int
        RoI-align takes ``bins * bins`` cells of a box and averages them.
    nms : float
        A box that overlaps a better one (or the whole image) by more than this IoU is dropped; 1 keeps all.
    rank : {"contrast", "classifier", "proposer"}
        What makes a box better: its contrast with what is around it on the network's map
        (`phrasebox.regions.objectness`), the largest class probability of its vector, or the proposer's score.
    density : int
        Boxes of the ``grid`` proposer, the whole image included: 27, 48 or 101.
    short_side : int
        Pixels of the short side of the copy on which ``selective_search`` looks for boxes.
    detector : str
        The model of the proposer ``detector``, as for `phrasebox.regions.proposers.Detector`.
    engine : {"auto", "openvino", "torch"}
        What runs the network.

    Raises
    ------
    SettingsError
        If a setting lies outside its range or contradicts another.
    """

    proposer: str = "selective_search"
    regions: int = 50
    backbone: str = "efficientnet-lite2"
    size: int | None = None
    pooling: Literal["roi", "crops"] = "roi"
    crop_size: int = 128
    second: str = ""
    second_size: int | None = None
    bins: int = 3
    nms: float = 0.7
    rank: Literal["contrast", "classifier", "proposer"] = "contrast"
    density: int = 48
    short_side: int = 128
    detector: str = ""
    engine: Literal["auto", "openvino", "torch"] = "auto"

    def __post_init__(self) -> None:
        for name, allowed in {
            "proposer": tuple(PROPOSERS),
            "pooling": ("roi", "crops"),
            "rank": ("contrast", "classifier", "proposer"),
            "density": tuple(LEVELS),
            "engine": ("auto", "openvino", "torch"),
        }.items():
            if getattr(self, name) not in allowed:
                raise SettingsError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(map(str, allowed))}")
        for name, least in {"regions": 1, "bins": 1, "crop_size": 32, "size": 32, "second_size": 32,
                            "short_side": SMALLEST_SIDE}.items():  # fmt: skip
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and value >= least):
                raise SettingsError(f"{name} is {value!r}; give {least} or more")
        if not 0 < self.nms <= 1:
            raise SettingsError(f"nms is {self.nms}; give an IoU above 0, up to 1")
        for name, owner, value in (("density", "proposer", "grid"), ("short_side", "proposer", "selective_search"),
                                   ("detector", "proposer", "detector"),
                                   ("crop_size", "pooling", "crops")):  # fmt: skip
            own, used = getattr(self, name), getattr(self, owner)
            if used != value and own != type(self).__dataclass_fields__[name].default:
                raise SettingsError(f"{name} {own} is for {owner} {value!r}, not {used!r}")
        if self.second_size is not None and not self.second:
            raise SettingsError(f"second_size is {self.second_size}, but there is no second backbone")

    @property
    def of_first(self) -> RegionSettings:
        """The same without the second network, whose vectors come behind those of the first."""
        return replace(self, second="", second_size=None)

    @classmethod
    def of_proposer(cls, proposer: str) -> RegionSettings:
        """The settings that suit a proposer: a grid, found in no image, is kept whole; a detector knows its best."""
        if proposer == "grid":
            return cls(proposer, regions=max(LEVELS), nms=1.0, rank="proposer", second=SECOND)
        if proposer == "detector":
            return cls(proposer, rank="proposer", second=SECOND)
        return cls(proposer, second=SECOND)


SECOND = "efficientnet-lite0"
"""Another network sees other things: its vectors are worth more than a larger network or a larger picture."""

REGION_PRESETS = {
    # PAPER section 2: a detector's 19 best boxes and the whole image.
    "paper": RegionSettings("selective_search", regions=20, rank="classifier", nms=0.6, short_side=200),
    "modern": RegionSettings(second=SECOND),
}


@cache  # every split that is read asks, and each time would read both networks' weights
def vector_parts(settings: RegionSettings) -> tuple[int, ...]:
    """How many numbers of a region vector come from each network; empty where it is one network.

    Raises
    ------
    ModelError
        If a network cannot be loaded.
    """
    if not settings.second:
        return ()
    return tuple(load_network(name).dim for name in (settings.backbone, settings.second))


def settings_with(folder: Path, settings: RegionSettings) -> dict[str, Any]:
    """The settings as a model in ``folder`` keeps them; fine-tuned networks are copied to it."""
    kept = {"backbone": keep_with(folder, settings.backbone), "second": keep_with(folder, settings.second)}
    return asdict(settings) | kept


def settings_inside(folder: Path, kept: Mapping[str, Any]) -> RegionSettings:
    """What `settings_with` wrote, with the networks found in ``folder``, wherever that is now."""
    settings = RegionSettings(**kept)
    return replace(settings, backbone=found_with(folder, settings.backbone), second=found_with(folder, settings.second))


def region_settings_of(model: str | Path) -> RegionSettings:
    """How a model's images became regions; ``model`` as for `phrasebox.io.model_folder.find_model`.

    Raises
    ------
    ModelError
        If there is no such model, or its config does not say.
    """
    folder = find_model(model)
    config = read_config(folder)
    try:
        return settings_inside(folder, config["regions"])
    except (KeyError, TypeError, SettingsError) as error:
        raise ModelError(f"the config of {folder} does not say how regions are made: {error}") from error


def same_regions(one: RegionSettings, other: RegionSettings) -> bool:
    """Whether both give the same vectors: wherever fine-tuned networks are, and whatever runs them."""
    here, there = asdict(one), asdict(other)
    return (
        all(here[name] == there[name] for name in here.keys() - {"engine", "backbone", "second"})
        and same_network(one.backbone, other.backbone)
        and same_network(one.second, other.second)
    )

"""Region settings: how boxes and vectors of an image are computed; presets; storage with a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from phrasebox.errors import ModelError, SettingsError
from phrasebox.io.settings import PRESET_NAMES, preset_table, settings, with_values
from phrasebox.regions.backbone_names import FAMILIES, absolute, family_of

# What needs torch is imported where it is used: the command line reads this module for every --help.

_OF_VECTORS = ("size", "pooling", "crop_size", "second_size", "bins", "layers", "aspect")  # and the backbones
_FOLDERS = ("backbone", "second", "objectness")  # settings that may name a folder

DENSITIES = (27, 48, 101)
"""Numbers of boxes of the grid, as in `phrasebox.regions.proposers.grid.LEVELS`."""


@settings
class RegionSettings:
    """How boxes and vectors of an image are computed."""

    proposer: Literal["objectness", "selective_search", "grid", "detector", "given"] = "objectness"
    "Box proposer; given uses your boxes. A proposer other than the preset's has its own defaults for other settings."
    regions: Annotated[int, Field(ge=1)] = 50
    "Maximum number of regions per image, including the whole image; user boxes are all kept."
    backbone: str = "efficientnet-lite2"
    "Backbone: efficientnet-lite0, -lite1, -lite2, timm:MODEL, open_clip:ID, hf:ID, or the folder of a fine-tuned one."
    size: Annotated[int, Field(ge=32)] | None = None
    "Side in pixels of the square to which the image is scaled for the backbone; default: the backbone's own."
    pooling: Literal["roi", "crops"] = "roi"
    "roi pools every box from one feature map of the image; crops runs the backbone on every box, as in the paper."
    crop_size: Annotated[int, Field(ge=32)] = 128
    "Side in pixels of the square to which every box is scaled with pooling crops."
    second: str = ""
    "Second backbone; its vectors are appended to the first's. Empty for none. Preset modern: efficientnet-lite0."
    second_size: Annotated[int, Field(ge=32)] | None = None
    "Side in pixels of the image scaled for the second backbone; default: the backbone's own."
    layers: Annotated[str, Field(pattern=r"^([1-9]\d*(,[1-9]\d*)*)?$")] = ""
    "Blocks of vision transformers whose maps are put behind the last one's, such as 4,8; empty for the last alone."
    aspect: bool = False
    "Keep the aspect ratio of images where the backbone allows it, with the area of the square; otherwise squares."
    precision: Literal["fp32", "bf16"] = "fp32"
    "Number format in which backbones compute; bf16 is for GPUs."
    bins: Annotated[int, Field(ge=1)] = 3
    "Number of RoI-align bins along each side of a box."
    nms: Annotated[float, Field(gt=0, le=1)] = 0.7
    "Largest IoU of two kept boxes, and of a box with the whole image (non-maximum suppression); 1 keeps all."
    rank: Literal["contrast", "classifier", "proposer"] = "proposer"
    "Ranking of boxes: contrast with the surroundings, largest class probability, or the proposer's score."
    density: int = 48
    "Number of boxes of the grid, including the whole image: 27, 48 or 101."
    short_side: Annotated[int, Field(ge=16)] = 128
    "Short side in pixels of the reduced image that selective_search runs on."
    objectness: str = ""
    "Folder of a proposer trained with propose; empty for the built-in one."
    detector: str = ""
    "Detector: torchvision:NAME, torchvision:NAME=WEIGHTS, or a folder or hub id for transformers."
    runtime: Literal["auto", "openvino", "torch"] = "auto"
    "Inference engine of the backbones; auto is OpenVINO if it can be used, else torch."

    def __post_init__(self) -> None:
        if self.density not in DENSITIES:
            raise SettingsError(f"density must be {', '.join(map(str, DENSITIES))}, got {self.density}")
        for name, owner, value in (("density", "proposer", "grid"), ("short_side", "proposer", "selective_search"),
                                   ("objectness", "proposer", "objectness"), ("detector", "proposer", "detector"),
                                   ("crop_size", "pooling", "crops")):  # fmt: skip
            own, used = getattr(self, name), getattr(self, owner)
            if used != value and own != type(self).__dataclass_fields__[name].default:
                raise SettingsError(f"{name} {own} is for {owner} {value!r}, not {used!r}")
        if self.second_size is not None and not self.second:
            raise SettingsError(f"second_size is {self.second_size}, but there is no second backbone")
        for name in ("layers", "aspect"):
            if getattr(self, name) and not any(map(family_of, (self.backbone, self.second))):
                raise SettingsError(f"{name} is for backbones of {', '.join(FAMILIES)}; none of them is one")

    def layers_of(self, backbone: str) -> tuple[int, ...]:
        """The numbers in ``layers`` for one of the backbones; a packaged one has no such blocks."""
        return tuple(map(int, self.layers.split(","))) if self.layers and family_of(backbone) else ()

    @property
    def placed(self) -> RegionSettings:
        """The same settings with the whole paths of folders of other libraries' models."""
        return replace(self, backbone=absolute(self.backbone), second=absolute(self.second))

    @property
    def of_first(self) -> RegionSettings:
        """The same settings without the second backbone."""
        own = {} if family_of(self.backbone) else {"layers": "", "aspect": False}
        return replace(self, second="", second_size=None, **own)

    @classmethod
    def of_proposer(cls, proposer: str) -> RegionSettings:
        """Default settings of a proposer; a grid is kept whole, boxes without scores are ranked by contrast."""
        suited = {
            "selective_search": {"rank": "contrast"},
            "given": {"rank": "contrast"},
            "grid": {"regions": max(DENSITIES), "nms": 1.0},
        }.get(proposer, {})
        return with_values(cls, {**preset_table("modern", "regions"), "proposer": proposer, **suited})


REGION_PRESETS = {name: with_values(RegionSettings, preset_table(name, "regions")) for name in PRESET_NAMES}


@cache  # called for every split, and loads both networks
def vector_widths(settings: RegionSettings) -> tuple[int, ...]:
    """Lengths of the parts of a region vector, one for each backbone.

    Raises
    ------
    ModelError
        If a network cannot be loaded.
    """
    from phrasebox.regions.backbones import load_network

    names = [name for name in (settings.backbone, settings.second) if name]
    return tuple(load_network(name, layers=settings.layers_of(name)).dim for name in names)


def vector_parts(settings: RegionSettings) -> tuple[int, ...]:
    """`vector_widths` of two backbones; empty for one backbone."""
    return vector_widths(settings) if settings.second else ()


def settings_with(folder: Path, settings: RegionSettings) -> dict[str, Any]:
    """The settings to store with a model in ``folder``; trained proposers and backbones are copied into it."""
    from phrasebox.regions.backbones.finetuned import keep_with

    return asdict(settings) | {name: keep_with(folder, getattr(settings, name)) for name in _FOLDERS}


def settings_inside(folder: Path, kept: Mapping[str, Any]) -> RegionSettings:
    """The settings that `settings_with` stored, with trained proposers and backbones found in ``folder``."""
    from phrasebox.regions.backbones.finetuned import found_with

    settings = RegionSettings(**kept)
    return replace(settings, **{name: found_with(folder, getattr(settings, name)) for name in _FOLDERS})


def region_settings_of(model: str | Path) -> RegionSettings:
    """The region settings stored with a model; ``model`` as for `phrasebox.io.model_folder.find_model`.

    Raises
    ------
    ModelError
        If there is no such model, or its config has no region settings.
    """
    from phrasebox.io.model_folder import find_model, read_config

    folder = find_model(model)
    config = read_config(folder)
    try:
        return settings_inside(folder, config["regions"])
    except (KeyError, TypeError, SettingsError) as error:
        raise ModelError(f"the config of {folder} has no valid region settings: {error}") from error


def same_vectors(one: RegionSettings, other: RegionSettings) -> bool:
    """Whether both give a box the same vector; how boxes are found does not matter, nor the path of a backbone."""
    from phrasebox.regions.backbones.finetuned import same_network

    return (
        all(getattr(one, name) == getattr(other, name) for name in _OF_VECTORS)
        and same_network(one.backbone, other.backbone)
        and same_network(one.second, other.second)
    )

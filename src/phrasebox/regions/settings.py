"""How an image becomes a set of region vectors: the settings, their presets, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from phrasebox.errors import ModelError, SettingsError
from phrasebox.io.settings import PRESET_NAMES, preset_table, settings, with_values

# What needs torch is imported where it is used: the command line reads this module for every --help.

DENSITIES = (27, 48, 101)
"""Numbers of boxes of the grid, as in `phrasebox.regions.proposers.grid.LEVELS`."""


@settings
class RegionSettings:
    """How an image becomes a set of region vectors."""

    proposer: Literal["selective_search", "grid", "detector", "given"] = "selective_search"
    "What proposes boxes; given takes your own. Another than the preset's starts from the defaults that suit it."
    regions: Annotated[int, Field(ge=1)] = 50
    "Regions kept for an image, the whole image included; given boxes are all kept."
    backbone: str = "efficientnet-lite2"
    "Network: efficientnet-lite0, -lite1, -lite2, timm:MODEL, or the folder of a fine-tuned one."
    size: Annotated[int, Field(ge=32)] | None = None
    "Side in pixels to which the image is squashed for the network; the network's own by default."
    pooling: Literal["roi", "crops"] = "roi"
    "roi runs the network once and pools every box from its map; crops runs it on every box, as in the paper."
    crop_size: Annotated[int, Field(ge=32)] = 128
    "Side in pixels to which every box is squashed with crops."
    second: str = ""
    "Second network, whose vectors stand behind the first's; empty for none. Preset modern: efficientnet-lite0."
    second_size: Annotated[int, Field(ge=32)] | None = None
    "As size, for the second network."
    bins: Annotated[int, Field(ge=1)] = 3
    "Cells along a side of a box that RoI-align samples and averages."
    nms: Annotated[float, Field(gt=0, le=1)] = 0.7
    "Largest overlap (IoU) of two boxes that are kept, and of a box with the whole image; 1 keeps all."
    rank: Literal["contrast", "classifier", "proposer"] = "contrast"
    "What makes a box better: contrast with its surroundings on the map, the largest class probability, or its score."
    density: int = 48
    "Boxes of the grid, the whole image included: 27, 48 or 101."
    short_side: Annotated[int, Field(ge=16)] = 128
    "Pixels of the short side of the copy on which selective_search looks for boxes."
    detector: str = ""
    "Model of the detector: torchvision:NAME, torchvision:NAME=WEIGHTS, or a folder or hub id for transformers."
    runtime: Literal["auto", "openvino", "torch"] = "auto"
    "What runs the network: OpenVINO where it can, or one of the two."

    def __post_init__(self) -> None:
        if self.density not in DENSITIES:
            raise SettingsError(f"density must be {', '.join(map(str, DENSITIES))}, got {self.density}")
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
        suited = {
            "grid": {"regions": max(DENSITIES), "nms": 1.0, "rank": "proposer"},
            "detector": {"rank": "proposer"},
        }.get(proposer, {})
        return with_values(cls, {**preset_table("modern", "regions"), "proposer": proposer, **suited})


REGION_PRESETS = {name: with_values(RegionSettings, preset_table(name, "regions")) for name in PRESET_NAMES}


@cache  # every split that is read asks, and each time would read both networks' weights
def vector_parts(settings: RegionSettings) -> tuple[int, ...]:
    """How many numbers of a region vector come from each network; empty where it is one network.

    Raises
    ------
    ModelError
        If a network cannot be loaded.
    """
    from phrasebox.regions.backbones import load_network

    if not settings.second:
        return ()
    return tuple(load_network(name).dim for name in (settings.backbone, settings.second))


def settings_with(folder: Path, settings: RegionSettings) -> dict[str, Any]:
    """The settings as a model in ``folder`` keeps them; fine-tuned networks are copied to it."""
    from phrasebox.regions.backbones.finetuned import keep_with

    kept = {"backbone": keep_with(folder, settings.backbone), "second": keep_with(folder, settings.second)}
    return asdict(settings) | kept


def settings_inside(folder: Path, kept: Mapping[str, Any]) -> RegionSettings:
    """What `settings_with` wrote, with the networks found in ``folder``, wherever that is now."""
    from phrasebox.regions.backbones.finetuned import found_with

    settings = RegionSettings(**kept)
    return replace(settings, backbone=found_with(folder, settings.backbone), second=found_with(folder, settings.second))


def region_settings_of(model: str | Path) -> RegionSettings:
    """How a model's images became regions; ``model`` as for `phrasebox.io.model_folder.find_model`.

    Raises
    ------
    ModelError
        If there is no such model, or its config does not say.
    """
    from phrasebox.io.model_folder import find_model, read_config

    folder = find_model(model)
    config = read_config(folder)
    try:
        return settings_inside(folder, config["regions"])
    except (KeyError, TypeError, SettingsError) as error:
        raise ModelError(f"the config of {folder} does not say how regions are made: {error}") from error


def same_regions(one: RegionSettings, other: RegionSettings) -> bool:
    """Whether both give the same vectors: wherever fine-tuned networks are, and whatever runs them."""
    from phrasebox.regions.backbones.finetuned import same_network

    here, there = asdict(one), asdict(other)
    return (
        all(here[name] == there[name] for name in here.keys() - {"runtime", "backbone", "second"})
        and same_network(one.backbone, other.backbone)
        and same_network(one.second, other.second)
    )

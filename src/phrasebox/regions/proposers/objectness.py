"""The learned proposer: boxes from the maps of the pass that makes the region vectors, without any words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phrasebox.boxes import soft_suppress
from phrasebox.errors import ModelError
from phrasebox.io.model_folder import model_id, read_config, read_weights, write_model
from phrasebox.regions.backbones.finetuned import base_of, shown

if TYPE_CHECKING:
    from torch import Tensor

    from phrasebox.regions.proposers.objectness_network import ObjectnessNetwork

KIND = "phrasebox proposer"
SIGMA = 0.8
"""Of the soft suppression: a box that coincides with a better one keeps exp(-1 / `SIGMA`) of its quality."""
BUILT_IN = Path(__file__).parents[2] / "pretrained" / "proposer"


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Proposed boxes of an image, the whole image first, then from the best to the worst by ``scores``.

    Attributes
    ----------
    boxes : (N, 4) float32
        ``xyxy`` shares of the image.
    quality : (N,) float32
        IoU from 0 to 1 that each box is expected to have with a thing.
    scores : (N,) float32
        Quality, reduced for boxes that overlap better ones (`phrasebox.boxes.soft_suppress`); 1 for the whole image.
    """

    boxes: np.ndarray
    quality: np.ndarray
    scores: np.ndarray


def _found(boxes: np.ndarray, quality: np.ndarray) -> Found:
    order, scores = soft_suppress(boxes[1:], quality[1:], SIGMA)
    order = np.concatenate([[0], order + 1])
    return Found(boxes[order], quality[order], np.concatenate([[1], scores]).astype(np.float32))


class Objectness:
    """A trained `ObjectnessNetwork` and the backbone whose maps it reads.

    Attributes
    ----------
    network : ObjectnessNetwork
        In evaluation mode.
    backbone : str
        Name of the backbone it was trained on.
    about : dict
        Data with its licence, settings and figures of the training.
    """

    def __init__(self, network: ObjectnessNetwork, backbone: str, about: dict[str, Any] | None = None) -> None:
        self.network = network.eval()
        self.backbone = backbone
        self.about = about or {}

    @cached_property
    def name(self) -> str:
        """``objectness-<hash of the weights>``."""
        return f"objectness-{model_id(self.network)}"

    def propose(self, maps: Sequence[Tensor]) -> list[Found]:
        """Boxes of every image of a batch; the first is the whole image.

        Parameters
        ----------
        maps : sequence of (B, C, h, w) Tensor
            Maps of the backbone's stages, from the finest to the coarsest.
        """
        found = self.network.to(maps[0].device).propose(list(maps))
        return [_found(boxes.cpu().numpy(), quality.cpu().numpy()) for boxes, quality in found]

    @property
    def config(self) -> dict[str, Any]:
        """What is stored beside the weights."""
        return {"kind": KIND, "backbone": self.backbone, **self.network.shape, "about": self.about}

    def save(self, folder: Path, card: str) -> None:
        """Write weights, config and model card into a folder."""
        write_model(folder, self.config, self.network.state_dict(), card)

    @classmethod
    def load(cls, folder: str | Path = "") -> Objectness:
        """The proposer in a folder; the built-in one without.

        Raises
        ------
        ModelError
            If the folder has none, or its files are damaged.
        """
        from phrasebox.regions.proposers.objectness_network import ObjectnessNetwork

        folder = Path(folder) if folder else BUILT_IN
        config = read_config(folder, KIND)
        try:
            levels = tuple(int(channels) for channels in config["levels"])
            network = ObjectnessNetwork(levels, int(config["width"]), int(config["hidden"]))
            backbone, about = str(config["backbone"]), dict(config.get("about", {}))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelError(f"the config of {folder} does not describe a proposer of this version: {error}") from error
        read_weights(folder, network)
        return cls(network, backbone, about)

    def check(self, backbone: str, levels: tuple[int, ...]) -> None:
        """Compare the maps that it reads with those of a backbone.

        Raises
        ------
        ModelError
            If they differ.
        """
        if base_of(backbone) != base_of(self.backbone) or levels != self.network.levels:
            raise ModelError(
                f"the objectness proposer reads maps of {shown(self.backbone)}, not of {shown(backbone)}; train one "
                f"on boxes of your own: phrasebox propose WS --backbone {shown(backbone)}, or use "
                "--proposer selective_search"
            )

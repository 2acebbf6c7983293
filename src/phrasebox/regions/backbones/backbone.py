"""The CNN of the method, loaded by name and ready to run (PAPER: section 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phrasebox.errors import ModelError, SettingsError
from phrasebox.io.arguments import checked
from phrasebox.regions.backbone_names import HF, OPEN_CLIP, TIMM

if TYPE_CHECKING:
    from torch import Tensor

    from phrasebox.regions.backbones.network import Described, Network
    from phrasebox.regions.backbones.runtime import Engine, EngineName, Precision

ASPECTS = (1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0)
"""Width by height of the shapes that images are scaled to where their aspect ratio is kept; an engine has one each."""


class Backbone:
    """CNN_theta_c with fixed parameters: pixels -> feature map -> class logits.

    Attributes
    ----------
    name : str
        As given to `load_backbone`.
    dim : int
        D, channels of the map.
    stride : int
        Input pixels a cell of the map.
    input_size : int
        Side of the square input in pixels.
    step : int
        Other shapes have sides that are multiples of it; 0 if there are no others.
    resample : int
        Pillow's number of the filter that scales images to the input.
    has_classifier : bool
        Whether `logits` can be asked for.
    engine : str
        What runs it: ``openvino`` or ``torch``.
    levels : tuple of int
        Channels of the maps of earlier stages (`pyramids`); empty if the network has none.
    fingerprint : str
        Equal for backbones that give the same numbers (up to rounding): name, input size, hash of the weights.
    """

    def __init__(self, network: Described, engine: Engine) -> None:
        self.name = network.name
        self.dim = network.dim
        self.stride = network.stride
        self.input_size = network.input_size
        self.step, self.resample = network.step, network.resample
        self.has_classifier = network.head is not None
        self.engine = engine.name
        self.levels = network.levels
        self.fingerprint = network.fingerprint
        self._head = network.head
        self._run = engine.run

    def maps(self, images: np.ndarray) -> Tensor:
        """Return the last maps of ``(B, S, S, 3)`` uint8 RGB images: ``(B, D, h, w)`` float32 on the backbone's device.

        Raises
        ------
        SettingsError
            As `pyramids`.
        """
        return self.pyramids(images)[0]

    def pyramids(self, images: np.ndarray) -> tuple[Tensor, ...]:
        """Return the last maps and, from the same pass, those of earlier stages at the strides 8, 16 and 32.

        Parameters
        ----------
        images : (B, S, S, 3) uint8 RGB
            Or of another shape with sides that are multiples of `step`.

        Returns
        -------
        tuple of Tensor
            The last maps (B, D, h, w), then one (B, C, S / stride, S / stride) for each number C of `levels`, all
            float32 on the backbone's device.

        Raises
        ------
        SettingsError
            If the images are not uint8 or not of a size that it takes.
        """
        side, shape = self.input_size, images.shape[1:3]
        square = shape == (side, side)
        fits = square or (self.step and all(length and length % self.step == 0 for length in shape))
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or not fits:
            raise SettingsError(
                f"backbone {self.name!r} takes uint8 images of shape (B, {side}, {side}, 3), "
                f"got {images.dtype} {images.shape}"
            )
        return self._run(images)

    def shape_for(self, width: int, height: int) -> tuple[int, int]:
        """Height and width to scale an image of this size to: about its aspect ratio, with the square's area.

        The aspect ratio is the nearest of `ASPECTS`. The square itself for a backbone that takes nothing else.
        """
        if not self.step:
            return self.input_size, self.input_size
        ratio = min(ASPECTS, key=lambda one: abs(math.log(one * height / width)))
        sides = self.input_size / math.sqrt(ratio), self.input_size * math.sqrt(ratio)
        high, wide = (max(self.step, round(side / self.step) * self.step) for side in sides)
        return high, wide

    def logits(self, vectors: Tensor) -> Tensor:
        """Return the class logits ``(N, classes)`` of pooled vectors ``(N, D)``, such as ``maps.mean((2, 3))``.

        Raises
        ------
        ModelError
            If the backbone has no classifier.
        """
        import torch

        if self._head is None:
            raise ModelError(f"backbone {self.name!r} has no classifier; rank regions by the proposer instead")
        with torch.inference_mode():
            return self._head(vectors)


@checked(name=str, device=str, input_size=int, threads=int)
def load_backbone(
    name: str = "efficientnet-lite2",
    engine: EngineName = "auto",
    device: str = "cpu",
    *,
    input_size: int | None = None,
    threads: int | None = None,
    pretrained: bool = True,
    layers: Sequence[int] = (),
    precision: Precision = "fp32",
) -> Backbone:
    """Load a backbone by name.

    Parameters
    ----------
    name : str
        As for `load_network`.
    engine : {"auto", "openvino", "torch"}
        ``auto`` is OpenVINO on the processor where it is installed, else torch.
    device : str
        A torch device; OpenVINO runs on ``cpu`` only.
    input_size : int, optional
        Side of the square input in pixels; by default the model's own.
    threads : int, optional
        Processor threads of OpenVINO; torch's are set for the whole process with ``torch.set_num_threads``.
    pretrained : bool
        False gives a model of another library random weights.
    layers : sequence of int
        Blocks of a vision transformer, from 1, whose maps follow the last one's.
    precision : {"fp32", "bf16"}
        Number format; bf16 runs on torch.

    Raises
    ------
    ModelError
        If the weights are missing or damaged, or the model gives no map at this size.
    SettingsError
        If the name, the engine or the device is unknown, or they do not fit each other.
    """
    from phrasebox.regions.backbones.packaged import PACKAGED
    from phrasebox.regions.backbones.runtime import OpenVinoEngine, make_engine, runs_openvino

    if name in PACKAGED and not layers and runs_openvino(engine, device, precision):
        from phrasebox.regions.backbones.converted import load_converted

        described, model = load_converted(name, input_size)
        square = described.input_size, described.input_size
        return Backbone(described, OpenVinoEngine(lambda shape: model, square, threads))
    network = load_network(name, input_size, pretrained=pretrained, layers=layers)
    if not network.converts:
        if engine == "openvino":
            raise SettingsError(f"engine 'openvino' cannot run {name}; choose engine 'torch'")
        engine = "torch"
    return Backbone(network, make_engine(engine, network.body, network.input_size, device, threads, precision))


def load_network(
    name: str, input_size: int | None = None, *, pretrained: bool = True, layers: Sequence[int] = ()
) -> Network:
    """Load a backbone's network, before an engine is made for it.

    Parameters
    ----------
    name : str
        ``efficientnet-lite0``, ``-lite1`` or ``-lite2`` (weights from the package index); ``timm:<model>``;
        ``open_clip:`` or ``hf:`` with a model of the hub or a folder; or the path of a folder with a fine-tuned
        network, with at least one ``/``.
    layers : sequence of int
        As of `load_backbone`.

    Raises
    ------
    ModelError, SettingsError
        As `load_backbone`.
    """
    from phrasebox.regions.backbones.finetuned import is_tuned, load_tuned
    from phrasebox.regions.backbones.network import chosen_blocks
    from phrasebox.regions.backbones.packaged import PACKAGED, load_packaged

    if name.startswith(TIMM):
        from phrasebox.regions.backbones.timm_backbone import load_timm

        return load_timm(name.removeprefix(TIMM), input_size, pretrained=pretrained, layers=layers)
    if name.startswith(HF):
        from phrasebox.regions.backbones.hugging_face import load_hf

        return load_hf(name, input_size, pretrained=pretrained, layers=layers)
    if name.startswith(OPEN_CLIP):
        from phrasebox.regions.backbones.open_clip_backbone import load_open_clip

        return load_open_clip(name, input_size, pretrained=pretrained, layers=layers)
    chosen_blocks(name, 0, layers)
    if name in PACKAGED:
        return load_packaged(name, input_size)
    if is_tuned(name):
        return load_tuned(Path(name), load_network, input_size)
    raise SettingsError(
        f"unknown backbone {name!r}; choose one of {', '.join(PACKAGED)}, {TIMM}<model>, {OPEN_CLIP}<id or folder>, "
        f"{HF}<id or folder>, or a fine-tuned one's path"
    )

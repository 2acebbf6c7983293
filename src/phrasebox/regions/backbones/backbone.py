"""The CNN of the method, loaded by name and ready to run (PAPER: section 2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from phrasebox.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from torch import Tensor

    from phrasebox.regions.backbones.network import Described, Network
    from phrasebox.regions.backbones.runtime import Engine, EngineName

TIMM = "timm:"


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

        Returns
        -------
        tuple of Tensor
            The last maps (B, D, h, w), then one (B, C, S / stride, S / stride) for each number C of `levels`, all
            float32 on the backbone's device.

        Raises
        ------
        SettingsError
            If the images are not uint8 or not of the input size.
        """
        side = self.input_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise SettingsError(
                f"backbone {self.name!r} takes uint8 images of shape (B, {side}, {side}, 3), "
                f"got {images.dtype} {images.shape}"
            )
        return self._run(images)

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


def load_backbone(
    name: str = "efficientnet-lite2",
    engine: EngineName = "auto",
    device: str = "cpu",
    *,
    input_size: int | None = None,
    threads: int | None = None,
    pretrained: bool = True,
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
        False gives a ``timm:`` model random weights.

    Raises
    ------
    ModelError
        If the weights are missing or damaged, or the model gives no map at this size.
    SettingsError
        If the name, the engine or the device is unknown, or they do not fit each other.
    """
    from phrasebox.regions.backbones.packaged import PACKAGED
    from phrasebox.regions.backbones.runtime import OpenVinoEngine, make_engine, runs_openvino

    if name in PACKAGED and runs_openvino(engine, device):
        from phrasebox.regions.backbones.converted import load_converted

        described, model = load_converted(name, input_size)
        return Backbone(described, OpenVinoEngine(model, threads))
    network = load_network(name, input_size, pretrained=pretrained)
    return Backbone(network, make_engine(engine, network.body, network.input_size, device, threads))


def load_network(name: str, input_size: int | None = None, *, pretrained: bool = True) -> Network:
    """Load a backbone's network, before an engine is made for it.

    Parameters
    ----------
    name : str
        ``efficientnet-lite0``, ``-lite1`` or ``-lite2`` (weights from the package index), ``timm:<model>``, or the path
        of a folder with a fine-tuned network, with at least one ``/``.

    Raises
    ------
    ModelError, SettingsError
        As `load_backbone`.
    """
    from phrasebox.regions.backbones.finetuned import is_tuned, load_tuned
    from phrasebox.regions.backbones.packaged import PACKAGED, load_packaged

    if name in PACKAGED:
        return load_packaged(name, input_size)
    if name.startswith(TIMM):
        from phrasebox.regions.backbones.timm_backbone import load_timm

        return load_timm(name.removeprefix(TIMM), input_size, pretrained=pretrained)
    if is_tuned(name):
        return load_tuned(Path(name), load_network, input_size)
    raise SettingsError(
        f"unknown backbone {name!r}; choose one of {', '.join(PACKAGED)}, {TIMM}<model>, or a fine-tuned one's path"
    )

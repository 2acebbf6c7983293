"""A network prepared for an engine: pixels in, feature map out, and the classifier."""

from __future__ import annotations

import copy
import hashlib
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from phrasebox.errors import ModelError

STRIDES = (8, 16, 32)
"""Input pixels a cell of the maps of earlier stages, from which boxes are proposed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Described:
    """CNN_theta_c (PAPER: section 2) at one input size: all but the body that makes the map.

    Attributes
    ----------
    head : Module or None
        ``(N, D)`` pooled vectors -> ``(N, classes)`` logits; None if there is no classifier that takes them.
    input_size : int
        S, in pixels.
    dim, stride : int
        D, and input pixels a cell of the map.
    levels : tuple of int
        Channels of the maps of earlier stages that the body gives after the last map; their strides are `STRIDES`.
        Empty for a network without such stages.
    fingerprint : str
        Name, input size and a hash of the weights and of the scaling.
    """

    name: str
    head: nn.Module | None
    input_size: int
    dim: int
    stride: int
    fingerprint: str
    levels: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(Described):
    """With its body: ``(B, S, S, 3)`` uint8 RGB -> its maps, the last layer's first, each ``(B, D, h, w)`` float32."""

    body: nn.Module


class Body(nn.Module):
    """Scales pixels and runs a timm network up to its last map; keeps the maps of its stages at `STRIDES`."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:  # (B, S, S, 3) uint8
        """``(B, S, S, 3)`` uint8 -> the last map ``(B, D, h, w)`` and those of the stages, float32."""
        stages = _stages(self.net)
        found: dict[str, Tensor] = {}
        hooks = [self.net.get_submodule(name).register_forward_hook(_keep(found, name)) for name in stages]
        try:
            last = _as_map(self.net, self.net.forward_features(scaled(pixels, self.mean, self.std)))
        finally:
            for hook in hooks:
                hook.remove()
        return last, *(_channels_first(self.net, found[name]) for name in stages)


def scaled(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """``(B, S, S, 3)`` uint8 -> ``(B, 3, S, S)`` float32, as a timm network takes it."""
    return (pixels.permute(0, 3, 1, 2).float() - mean) / std


class Head(nn.Module):
    """Runs a timm network's own head on pooled vectors, each as a map of one cell."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, vectors: Tensor) -> Tensor:  # (N, D)
        """``(N, D)`` -> ``(N, classes)``."""
        cell = vectors[:, None, None] if _channels_last(self.net) else vectors[:, :, None, None]
        return self.net.forward_head(cell)


def wrap(net: Any, name: str, input_size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Network:
    """Make a `Network` of a timm model; ``mean`` and ``std`` are in pixel values, 0 to 255.

    Raises
    ------
    ModelError
        If the model does not take this size or gives no spatial map.
    """
    net = net.eval()
    body = Body(net, mean, std).eval()
    try:
        with torch.inference_mode():
            pixels = torch.zeros(1, 3, input_size, input_size, device="meta")  # shapes alone: nothing is computed
            features = copy.deepcopy(net).to("meta").forward_features(pixels)
            _, dim, height, _ = _as_map(net, features).shape
    except (RuntimeError, AssertionError, AttributeError, TypeError) as error:
        raise ModelError(f"{name} gives no feature map at {input_size} pixels: {error}") from None
    # A transformer's head reads the class token, which boxes do not have.
    has_classifier = features.ndim == 4 and getattr(net, "num_classes", 0) > 0
    return Network(
        name=name,
        body=body,
        head=Head(net).eval() if has_classifier else None,
        input_size=input_size,
        dim=dim,
        stride=round(input_size / height),
        fingerprint=f"{name}@{input_size}:{_digest(body)}",
        levels=tuple(_stages(net).values()),
    )


def _stages(net: Any) -> dict[str, int]:
    """Modules that end the stages at `STRIDES`, with their channels; empty if the network lacks one of them."""
    known: Any = getattr(net, "feature_info", None)
    infos = known.info if hasattr(known, "info") else known or []
    at = {info["reduction"]: info for info in infos}
    if any(stride not in at for stride in STRIDES):
        return {}
    return {at[stride]["module"]: at[stride]["num_chs"] for stride in STRIDES}


def _keep(found: dict[str, Tensor], name: str) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        found[name] = output

    return hook


def _channels_first(net: Any, features: Tensor) -> Tensor:
    return features.permute(0, 3, 1, 2) if _channels_last(net) else features


def _channels_last(net: Any) -> bool:
    return getattr(net, "output_fmt", "NCHW") == "NHWC"


def _as_map(net: Any, features: Tensor) -> Tensor:
    """Reshape the output of ``forward_features`` to ``(B, D, h, w)``."""
    if features.ndim == 3:  # (B, prefix + h*w, D): tokens of a vision transformer
        patches = features[:, net.num_prefix_tokens :].transpose(1, 2)  # (B, D, h*w)
        side = math.isqrt(patches.shape[2])
        return patches.unflatten(2, (side, side))
    return _channels_first(net, features)


def _digest(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in module.state_dict().items():
        digest.update(key.encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]

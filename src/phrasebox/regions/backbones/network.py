"""A network prepared for an engine: pixels in, feature map out, and the classifier."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from phrasebox.errors import ModelError, SettingsError

STRIDES = (8, 16, 32)
"""Input pixels a cell of the maps of earlier stages, from which boxes are proposed."""

BICUBIC = 3
"""Pillow's number of the bicubic filter."""


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
    step : int
        Sides of images that are not square are multiples of it, in pixels; 0 for a network that takes squares alone.
    shared : int
        First channels of the map that lie in one space with texts, for a network that was trained with them; else 0.
    resample : int
        Pillow's number of the filter that scales images to the input size.
    converts : bool
        Whether OpenVINO can run it.
    """

    name: str
    head: nn.Module | None
    input_size: int
    dim: int
    stride: int
    fingerprint: str
    levels: tuple[int, ...] = ()
    step: int = 0
    shared: int = 0
    resample: int = BICUBIC
    converts: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(Described):
    """With its body: ``(B, S, S, 3)`` uint8 RGB -> its maps, the last layer's first, each ``(B, D, h, w)`` float32."""

    body: nn.Module


class Resizable(nn.Module):
    """A body that takes images of several shapes."""

    def at(self, height: int, width: int) -> nn.Module:
        """A body for images of one shape, which shares the weights; what depends on the shape alone is computed."""
        raise NotImplementedError


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


class TokenBody(Resizable):
    """Scales pixels and runs a timm vision transformer; maps of ``blocks``, the last one's first, are one map."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: Any, mean: tuple[float, ...], std: tuple[float, ...], blocks: Sequence[int]) -> None:
        super().__init__()
        self.net, self.blocks = net, tuple(blocks)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:  # (B, H, W, 3) uint8
        """``(B, H, W, 3)`` uint8 -> the maps of the blocks side by side, ``(B, D, h, w)`` float32."""
        images = scaled(pixels, self.mean, self.std)
        last, *others = self.blocks
        maps = self.net.forward_intermediates(
            images, indices=[*others, last], norm=True, intermediates_only=True, output_fmt="NCHW"
        )
        return (torch.cat([maps[-1], *maps[:-1]], dim=1),)

    def at(self, height: int, width: int) -> nn.Module:
        """As `Resizable.at`: its table of positions is made for the shape."""
        shared = {id(parameter): parameter for parameter in self.parameters()}
        own = copy.deepcopy(self, shared)
        if (height, width) != tuple(own.net.patch_embed.img_size):
            own.net.set_input_size(img_size=(height, width))
        if getattr(own.net, "dynamic_img_size", False) and getattr(own.net, "rope", None) is None:
            # The table of positions need not be made in every pass; rotary ones have none.
            own.net.dynamic_img_size, own.net.patch_embed.flatten = False, True
        return own.eval()


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


def wrap(
    net: Any,
    name: str,
    input_size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    layers: Sequence[int] = (),
) -> Network:
    """Make a `Network` of a timm model; ``mean`` and ``std`` are in pixel values, 0 to 255.

    Parameters
    ----------
    layers : sequence of int
        Blocks of a vision transformer, from 1, whose maps follow the last one's.

    Raises
    ------
    ModelError
        If the model does not take this size or gives no spatial map.
    SettingsError
        If it has no such blocks.
    """
    net = net.eval()
    tokens = hasattr(net, "num_prefix_tokens") and hasattr(net, "forward_intermediates")
    blocks = chosen_blocks(name, len(net.blocks) if tokens else 0, layers)
    body = (TokenBody(net, mean, std, blocks) if tokens else Body(net, mean, std)).eval()
    try:
        with torch.inference_mode():
            pixels = torch.zeros(1, input_size, input_size, 3, dtype=torch.uint8, device="meta")
            _, dim, height, _ = copy.deepcopy(body).to("meta")(pixels)[0].shape  # shapes alone: nothing is computed
    except (RuntimeError, AssertionError, AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"{name} gives no feature map at {input_size} pixels: {error}") from None
    # A transformer's head reads the class token, which boxes do not have.
    has_classifier = not tokens and getattr(net, "num_classes", 0) > 0
    return Network(
        name=name,
        body=body,
        head=Head(net).eval() if has_classifier else None,
        input_size=input_size,
        dim=dim,
        stride=round(input_size / height),
        fingerprint=fingerprint(name, input_size, body, layers),
        levels=() if tokens else tuple(_stages(net).values()),
        step=round(input_size / height) if tokens and hasattr(net, "set_input_size") else 0,
    )


def chosen_blocks(name: str, count: int, layers: Sequence[int]) -> tuple[int, ...]:
    """Indices of the last block and of the ``layers`` before it, which count from 1; empty without blocks.

    Raises
    ------
    SettingsError
        If there are no such blocks before the last.
    """
    if wrong := [number for number in layers if not 1 <= number < count]:
        has = f"has {count} blocks; choose among 1 to {count - 1}" if count > 1 else "has no blocks to choose among"
        raise SettingsError(f"layers {', '.join(map(str, wrong))}: {name} {has}")
    return (count - 1, *(number - 1 for number in layers)) if count else ()


def fingerprint(name: str, input_size: int, body: nn.Module, layers: Sequence[int] = ()) -> str:
    """As `Described.fingerprint`."""
    more = f"+{','.join(map(str, layers))}" if layers else ""
    return f"{name}@{input_size}{more}:{digest(body)}"


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
    """The output of ``forward_features`` as ``(B, D, h, w)``."""
    if features.ndim != 4:
        raise ValueError(f"it gives {features.ndim - 1} axes an image where a map has 3")
    return _channels_first(net, features)


def digest(module: nn.Module) -> str:
    """A short hash of all tensors of a module."""
    found = hashlib.sha256()
    for key, value in module.state_dict().items():
        found.update(key.encode())
        found.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()[:16]

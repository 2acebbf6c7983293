"""A network cut in two: a fixed trunk and the last blocks, which can be fine-tuned (theta_c; PAPER: section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from phrasebox.errors import ModelError, SettingsError
from phrasebox.regions.backbones.network import Body, Network, scaled

_SAME = 1e-3  # largest difference between halves and whole network, relative to the largest number of the map


class Trunk(nn.Module):
    """``(B, S, S, 3)`` uint8 -> the map that the tail starts from, ``(B, C, h, w)`` float32."""

    def __init__(self, body: Body, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.mean, self.std = body.mean, body.std
        self.blocks = nn.Sequential(*blocks)

    def forward(self, pixels: Tensor) -> Tensor:
        """As the network's body begins."""
        return self.blocks(scaled(pixels, self.mean, self.std))


class Tail(nn.Sequential):
    """The last blocks of a network: ``(B, C, h, w)`` -> its last map ``(B, D, h', w')``.

    Batch normalisation keeps its trained statistics during fine-tuning, because batches are too small to estimate new
    ones.
    """

    def train(self, mode: bool = True) -> Tail:
        """Always evaluation mode."""
        return super().train(False)


@dataclass(frozen=True, slots=True, eq=False)
class Halves:
    """Result of `cut`: both halves and the shape (C, h, w) of the map between them."""

    trunk: Trunk
    tail: Tail
    shape: tuple[int, int, int]


def cut(network: Network, blocks: int) -> Halves:
    """Cut a network before its last ``blocks`` blocks and all layers after them.

    The halves share the network's weights.

    Raises
    ------
    SettingsError
        If it has fewer blocks.
    ModelError
        If its blocks do not simply follow each other.
    """
    body = network.body
    first, middle, last = _chain(body.net) if isinstance(body, Body) else ([], [], [])
    if not isinstance(body, Body) or not middle:
        raise ModelError(
            f"the blocks of {network.name} cannot be told apart; fine-tune an EfficientNet, ResNet or ConvNeXt"
        )
    if not 1 <= blocks <= len(middle):
        raise SettingsError(
            f"{network.name} has {len(middle)} blocks; fine-tune 1 to {len(middle)} of them, not {blocks}"
        )
    trunk, tail = Trunk(body, [*first, *middle[:-blocks]]).eval(), Tail(*middle[-blocks:], *last).eval()
    side = network.input_size
    pixels = torch.arange(side * side * 3).mul(7919).remainder(256).to(torch.uint8).view(1, side, side, 3)
    with torch.inference_mode():
        between, whole = trunk(pixels), body(pixels)[0]
        same = whole.shape == (found := tail(between)).shape
        if not same or float((found - whole).abs().max()) > _SAME * float(whole.abs().max()):
            raise ModelError(
                f"the blocks of {network.name} do not follow each other, so that its last cannot be fine-tuned"
            )
    return Halves(trunk, tail, tuple(between.shape[1:]))  # type: ignore[arg-type]


def _chain(net: Any) -> tuple[list[nn.Module], list[nn.Module], list[nn.Module]]:
    """Layers of a timm network in order: its stem, its blocks, and the layers after them."""
    if all(hasattr(net, name) for name in ("conv_stem", "bn1", "blocks", "conv_head")):  # EfficientNet, MobileNetV2
        return [net.conv_stem, net.bn1], list(net.blocks), [net.conv_head, *_there(net, "bn2")]
    if all(hasattr(net, name) for name in ("conv1", "bn1", "act1", "maxpool", "layer1")):  # ResNet
        layers = [getattr(net, f"layer{i}") for i in range(1, 5)]
        return [net.conv1, net.bn1, net.act1, net.maxpool], layers, []
    if hasattr(net, "stem") and hasattr(net, "stages"):  # ConvNeXt
        return [net.stem], list(net.stages), _there(net, "norm_pre")
    return [], [], []


def _there(net: Any, name: str) -> list[nn.Module]:
    return [getattr(net, name)] if hasattr(net, name) else []

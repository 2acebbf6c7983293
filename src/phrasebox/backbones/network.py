"""A network made ready for an engine: raw pixels in, feature map out, and the classifier on top."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import timm.layers
import torch
from torch import Tensor, nn

from phrasebox.errors import ModelError


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """CNN_theta_c (PAPER: section 2) at one input size.

    Attributes
    ----------
    body : Module
        ``(B, S, S, 3)`` uint8 RGB -> ``(B, D, h, w)`` float32.
    head : Module or None
        ``(N, D)`` pooled vectors -> ``(N, classes)`` logits; None if there is no classifier that takes them.
    input_size : int
        S, in pixels.
    dim, stride : int
        D, and input pixels a cell of the map.
    fingerprint : str
        Name, input size and a hash of the weights and of the scaling.
    """

    name: str
    body: nn.Module
    head: nn.Module | None
    input_size: int
    dim: int
    stride: int
    fingerprint: str


class Body(nn.Module):
    """Scales pixels and runs a timm network up to its last map."""

    def __init__(self, net: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:  # (B, S, S, 3) uint8
        scaled = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std  # (B, 3, S, S)
        out = self.net.forward_features(scaled)  # type: ignore[operator]
        if out.ndim == 3:  # (B, prefix + h*w, D): tokens of a vision transformer
            out = out[:, getattr(self.net, "num_prefix_tokens", 0) :]
            side = int(out.shape[1] ** 0.5)
            return out.transpose(1, 2).reshape(out.shape[0], out.shape[2], side, side)
        return out.permute(0, 3, 1, 2) if _channels_last(self.net) else out


class Head(nn.Module):
    """Runs a timm network's own head on pooled vectors, each as a map of one cell."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, vectors: Tensor) -> Tensor:  # (N, D)
        cell = vectors[:, None, None] if _channels_last(self.net) else vectors[:, :, None, None]
        return self.net.forward_head(cell)  # type: ignore[operator]


def wrap(net: nn.Module, name: str, input_size: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Network:
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
            probe = torch.zeros(1, input_size, input_size, 3, dtype=torch.uint8)
            raw, out = net.forward_features(torch.zeros(1, 3, input_size, input_size)), body(probe)  # type: ignore[operator]
    except (RuntimeError, AssertionError, AttributeError, TypeError) as error:
        raise ModelError(f"{name} gives no feature map at {input_size} pixels: {error}") from None
    _, dim, height, _ = out.shape
    has_classifier = raw.ndim == 4 and getattr(net, "num_classes", 0) > 0
    return Network(
        name=name,
        body=body,
        head=Head(net).eval() if has_classifier else None,
        input_size=input_size,
        dim=dim,
        stride=round(input_size / height),
        fingerprint=f"{name}@{input_size}:{_digest(body)}",
    )


def _channels_last(net: nn.Module) -> bool:
    return getattr(net, "output_fmt", None) == timm.layers.Format.NHWC


def _digest(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in module.state_dict().items():
        digest.update(key.encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]

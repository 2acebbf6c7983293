"""Vision models of transformers: any with an ``AutoBackbone``, and those that read texts too, in the texts' space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from phrasebox.errors import ModelError
from phrasebox.regions.backbones.network import Network, chosen_blocks, fingerprint, scaled
from phrasebox.regions.backbones.transformers_models import (
    IMAGE_TEXT,
    SIGLIP_LIKE,
    Pixels,
    load_backbone_of,
    load_config,
    load_pixels,
    load_whole,
)
from phrasebox.regions.backbones.value_path import as_grid, beside, layer_values, pooled_values

# OpenVINO 2026.4 ends the process when it converts DINOv3, so that only kinds that are tested run on it.
_CONVERTED = (*IMAGE_TEXT, "dinov2")


def load_hf(
    name: str, input_size: int | None = None, *, pretrained: bool = True, layers: Sequence[int] = ()
) -> Network:
    """Load a vision model of transformers, or the image side of an image-text model.

    Parameters
    ----------
    name : str
        ``hf:`` with ``owner/name`` or ``owner/name@revision`` on the hub, or with a folder.
    input_size : int, optional
        Side of the square input in pixels; by default that of the model's processor.
    pretrained : bool
        False gives random weights.
    layers : sequence of int
        As of `phrasebox.regions.backbones.load_backbone`.

    Raises
    ------
    ModelError
        If the model cannot be had, is of a kind that gives no maps, or does not take this size.
    SettingsError
        If it has no such layers.
    """
    config = load_config(name)
    pixels = load_pixels(name)
    vision = getattr(config, "vision_config", config)
    patch, count = (getattr(vision, value, 0) for value in ("patch_size", "num_hidden_layers"))
    if not (isinstance(patch, int) and isinstance(count, int)):  # no grid that stays from the first block to the last
        patch = count = 0
    blocks = chosen_blocks(name, count if patch else 0, layers)
    side = input_size or pixels.side or getattr(vision, "image_size", None)
    if not isinstance(side, int):
        raise ModelError(f"the files of {name} do not state an input size; give one with --size")
    if patch and side % patch:
        raise ModelError(
            f"{name} has patches of {patch} pixels and takes no side of {side}; "
            f"give --size {max(1, side // patch) * patch}"
        )
    body = _body(name, config, blocks, pixels, pretrained).eval()
    dim, height = _map_shape(name, body, side)
    return Network(
        name=name,
        body=body,
        head=None,
        input_size=side,
        dim=dim,
        stride=round(side / height),
        fingerprint=fingerprint(name, side, body, layers),
        step=patch if count else 0,
        shared=dim - len(layers) * vision.hidden_size if config.model_type in IMAGE_TEXT else 0,
        resample=pixels.resample,
        converts=config.model_type in _CONVERTED,
    )


class TokensBody(nn.Module):
    """Scales pixels and runs a transformer block by block; a subclass makes tokens and the last map of them.

    Parameters
    ----------
    vision
        The image side of a model.
    blocks : tuple of int
        Index of the last block, then of those whose maps follow.
    """

    mean: Tensor
    std: Tensor
    prefix = 0
    "Tokens before the patches."

    def __init__(self, vision: Any, blocks: tuple[int, ...], pixels: Pixels) -> None:
        super().__init__()
        self.vision, self.others = vision, blocks[1:]
        self.patch = vision.config.patch_size
        self.register_buffer("mean", torch.tensor(pixels.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(pixels.std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:  # (B, H, W, 3) uint8
        """``(B, H, W, 3)`` uint8 -> one map ``(B, D, h, w)`` float32."""
        images = scaled(pixels, self.mean, self.std)
        grid = images.shape[2] // self.patch, images.shape[3] // self.patch
        tokens, found = self.embed(images), dict[int, Tensor]()
        *before, last = self.stack()
        for i, block in enumerate(before):
            tokens = block(tokens, None)
            if i in self.others:
                found[i] = as_grid(self.norm(tokens)[:, self.prefix :], *grid)
        final = self.last(last, tokens)[:, self.prefix :]
        return (beside(as_grid(final, *grid), [found[i] for i in self.others]),)

    def embed(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> tokens (B, N, D)."""
        return self.vision.embeddings(images, interpolate_pos_encoding=True)

    def stack(self) -> Sequence[Any]:
        """The blocks."""
        return self.vision.encoder.layers

    def norm(self, tokens: Tensor) -> Tensor:
        """The layer norm after the last block."""
        return self.vision.post_layernorm(tokens)

    def last(self, block: Any, tokens: Tensor) -> Tensor:
        """What the last block makes of tokens, as they are in the last map."""
        raise NotImplementedError


class ClipBody(TokensBody):
    """CLIP: the last block's values, projected."""

    prefix = 1

    def __init__(self, model: Any, blocks: tuple[int, ...], pixels: Pixels) -> None:
        super().__init__(model.vision_model, blocks, pixels)
        self.projection = model.visual_projection

    def embed(self, images: Tensor) -> Tensor:
        """As `TokensBody.embed`."""
        return self.vision.pre_layrnorm(super().embed(images))

    def last(self, block: Any, tokens: Tensor) -> Tensor:
        """As `TokensBody.last`."""
        return self.projection(self.norm(layer_values(block, tokens)))


class SiglipBody(TokensBody):
    """SigLIP: all blocks, and the values of the attention pooling."""

    def __init__(self, model: Any, blocks: tuple[int, ...], pixels: Pixels) -> None:
        super().__init__(model.vision_model, blocks, pixels)

    def last(self, block: Any, tokens: Tensor) -> Tensor:
        """As `TokensBody.last`."""
        return pooled_values(self.vision.head, self.norm(block(tokens, None)))


class NaflexBody(SiglipBody):
    """SigLIP 2 of any aspect ratio, which reads patches and the shape of their grid."""

    def embed(self, images: Tensor) -> Tensor:
        """As `TokensBody.embed`."""
        batch, _, height, width = images.shape
        grid = height // self.patch, width // self.patch
        cut = images.unflatten(2, (grid[0], self.patch)).unflatten(4, (grid[1], self.patch))  # (B, 3, h, P, w, P)
        patches = cut.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)  # (B, h * w, P * P * 3)
        shapes = torch.tensor([grid], device=images.device).expand(batch, 2)
        return self.vision.embeddings(patches, shapes)


class TipsBody(TokensBody):
    """TIPSv2, whose patches are in the texts' space as they are."""

    def __init__(self, model: Any, blocks: tuple[int, ...], pixels: Pixels) -> None:
        super().__init__(model.vision_model, blocks, pixels)
        self.prefix = 1 + model.vision_model.config.num_register_tokens

    def embed(self, images: Tensor) -> Tensor:
        """As `TokensBody.embed`."""
        return self.vision.embeddings(images)

    def stack(self) -> Sequence[Any]:
        """As `TokensBody.stack`."""
        return self.vision.encoder.layer

    def norm(self, tokens: Tensor) -> Tensor:
        """As `TokensBody.norm`."""
        return self.vision.layernorm(tokens)

    def last(self, block: Any, tokens: Tensor) -> Tensor:
        """As `TokensBody.last`."""
        return self.norm(block(tokens, None))


class FeatureBody(nn.Module):
    """Scales pixels and runs a backbone of transformers for its feature maps."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: Any, pixels: Pixels) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.tensor(pixels.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(pixels.std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """``(B, H, W, 3)`` uint8 -> the maps as one, the last layer's channels first, ``(B, D, h, w)`` float32."""
        *others, last = self.net(scaled(pixels, self.mean, self.std)).feature_maps
        return (beside(last, others),)


def _body(name: str, config: Any, blocks: tuple[int, ...], pixels: Pixels, pretrained: bool) -> nn.Module:
    kind = config.model_type
    if kind in IMAGE_TEXT:
        model = load_whole(name, pretrained)
        if kind in SIGLIP_LIKE and not hasattr(model.vision_model, "head"):
            raise ModelError(f"{name} has no attention pooling, so that its patches are in no space with texts")
        body = {"tipsv2": TipsBody, "siglip": SiglipBody, "siglip2": NaflexBody}.get(kind, ClipBody)
        return body(model, blocks, pixels)
    wanted = sorted(block + 1 for block in blocks) or [-1]
    return FeatureBody(load_backbone_of(name, config, wanted, pretrained), pixels)


def _map_shape(name: str, body: nn.Module, side: int) -> tuple[int, int]:
    """Channels and height of the map of a square, from one of zeros."""
    try:
        with torch.inference_mode():
            found = body(torch.zeros(1, side, side, 3, dtype=torch.uint8))[0]
        _, dim, height, _ = found.shape
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{name} gives no feature map at {side} pixels: {reason}") from None
    return dim, height

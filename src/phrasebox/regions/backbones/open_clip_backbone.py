"""The image side of a model of open_clip, its patches in the space of its texts."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phrasebox.errors import ModelError, SettingsError
from phrasebox.regions.backbone_names import OPEN_CLIP, existing_folder, not_loaded
from phrasebox.regions.backbones.network import BICUBIC, Network, Resizable, chosen_blocks, fingerprint, scaled
from phrasebox.regions.backbones.value_path import as_grid, beside, block_values, latent_values

_FILTERS = {"bilinear": 2, "bicubic": BICUBIC}  # names of open_clip, numbers of Pillow


def load_open_clip(
    name: str, input_size: int | None = None, *, pretrained: bool = True, layers: Sequence[int] = ()
) -> Network:
    """Load the vision transformer of a model of open_clip.

    Parameters
    ----------
    name : str
        ``open_clip:`` with ``MODEL/WEIGHTS`` as open_clip lists them, ``owner/name`` on the hub, or a folder with
        ``open_clip_config.json`` and weights.
    input_size : int, optional
        Side of the square input in pixels; by default the model's own.
    pretrained : bool
        False gives random weights.
    layers : sequence of int
        As of `phrasebox.regions.backbones.load_backbone`.

    Raises
    ------
    ModelError
        If open_clip is not installed, the model cannot be had, its image side is no vision transformer whose patches
        can be brought into the texts' space, or it does not take this size.
    SettingsError
        If it has no such layers.
    """
    visual = load_whole(name, pretrained).visual
    pixels = visual.preprocess_cfg
    mean, std = (tuple(255.0 * value for value in pixels[key]) for key in ("mean", "std"))
    size = pixels["size"]
    side = input_size or (size if isinstance(size, int) else size[0])
    body_of, count = _kind(name, visual)
    blocks = chosen_blocks(name, count, layers)
    body = body_of(visual, blocks, mean, std).eval()
    if side % body.patch:
        raise ModelError(
            f"{name} has patches of {body.patch} pixels and takes no side of {side}; "
            f"give --size {max(1, side // body.patch) * body.patch}"
        )
    try:
        with torch.inference_mode():
            dim = body.at(side, side)(torch.zeros(1, side, side, 3, dtype=torch.uint8))[0].shape[1]
    except (RuntimeError, ValueError, AttributeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{name} gives no feature map at {side} pixels: {reason}") from None
    return Network(
        name=name,
        body=body,
        head=None,
        input_size=side,
        dim=dim,
        stride=body.patch,
        fingerprint=fingerprint(name, side, body, layers),
        step=body.patch,
        shared=dim - len(layers) * body.width,
        resample=_FILTERS.get(pixels["interpolation"], BICUBIC),
    )


def load_whole(name: str, pretrained: bool = True) -> Any:
    """A model of open_clip, both sides of it, in evaluation mode.

    Raises
    ------
    ModelError
        If open_clip is not installed, or the model cannot be had.
    """
    library = open_clip()
    model, weights = where(name)
    if pretrained and not weights and ":" not in model:
        tags = ", ".join(library.list_pretrained_tags_by_model(model)) or "none"
        raise ModelError(f"{name} names no weights; add one of them, as {OPEN_CLIP}{model}/WEIGHTS: {tags}")
    silent = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # what it logs is in the error too
    try:
        return library.create_model(
            model,
            pretrained=weights if pretrained else None,
            load_weights=pretrained,
            require_pretrained=pretrained,
            pretrained_text=False,
        ).eval()
    except Exception as error:  # the library passes on whatever the hub or the file system raised
        raise not_loaded(name, error) from error
    finally:
        logging.disable(silent)


def open_clip() -> Any:
    """The library.

    Raises
    ------
    ModelError
        If it is not installed.
    """
    try:
        import open_clip
    except ImportError as error:
        raise ModelError("open_clip is not installed; run: pip install 'phrasebox[open-clip]'") from error
    return open_clip


def where(name: str) -> tuple[str, str]:
    """What open_clip creates a model by: its name with or without a scheme, and the name of its weights.

    Raises
    ------
    ModelError, SettingsError
        If the folder is not there, or the name is not that of a model.
    """
    folder = existing_folder(name)
    if folder is not None:
        return f"local-dir:{folder}", ""
    source = name.removeprefix(OPEN_CLIP)
    if source.startswith("hf-hub:"):
        return source, ""
    model, _, weights = source.partition("/")
    if model in open_clip().list_models():
        return model, weights
    if weights:
        return f"hf-hub:{source}", ""
    raise SettingsError(
        f"open_clip has no model {model!r}; give MODEL/WEIGHTS as open_clip lists them, owner/name on the hub, or a "
        "folder"
    )


class OpenClipBody(Resizable):
    """Scales pixels and runs a vision transformer of open_clip; a subclass does it block by block."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        visual: Any,
        blocks: tuple[int, ...],
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.visual, self.others = visual, blocks[1:]
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))


class NativeBody(OpenClipBody):
    """CLIP: the last block's values, projected."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.patch, self.width = self.visual.patch_size[0], block_width(self.visual)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:  # (B, H, W, 3) uint8
        """``(B, H, W, 3)`` uint8 -> one map ``(B, D, h, w)`` float32."""
        visual = self.visual
        images = scaled(pixels, self.mean, self.std)
        grid = images.shape[2] // self.patch, images.shape[3] // self.patch
        tokens, found = visual._embeds(images), dict[int, Tensor]()
        *before, last = visual.transformer.resblocks
        for i, block in enumerate(before):
            tokens = block(tokens)
            if i in self.others:
                found[i] = as_grid(visual.ln_post(tokens)[:, 1:], *grid)
        final = visual.ln_post(block_values(last, tokens)) @ visual.proj
        return (beside(as_grid(final[:, 1:], *grid), [found[i] for i in self.others]),)

    def at(self, height: int, width: int) -> nn.Module:
        """As `Resizable.at`: its table of positions is made for the shape."""
        grid = height // self.patch, width // self.patch
        if grid == tuple(self.visual.grid_size):
            return self
        first, patches = self.visual.positional_embedding.detach().split([1, self._positions - 1])
        square = as_grid(patches[None], *self.visual.grid_size)
        again = F.interpolate(square, grid, mode="bicubic", antialias=True)[0].flatten(1).T
        own = _sharing(self)
        own.visual.positional_embedding = nn.Parameter(torch.cat([first, again]), requires_grad=False)
        return own

    @property
    def _positions(self) -> int:
        return len(self.visual.positional_embedding)


class PooledBody(OpenClipBody):
    """SigLIP, whose image side is a model of timm: all blocks, and the values of the attention pooling."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.patch, self.width = self.visual.trunk.patch_embed.patch_size[0], block_width(self.visual)
        # The table of positions is made once for a shape, not in every pass.
        self.visual.trunk.dynamic_img_size, self.visual.trunk.patch_embed.flatten = False, True

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """``(B, H, W, 3)`` uint8 -> one map ``(B, D, h, w)`` float32."""
        trunk = self.visual.trunk
        images = scaled(pixels, self.mean, self.std)
        grid = images.shape[2] // self.patch, images.shape[3] // self.patch
        last = len(trunk.blocks) - 1
        *maps, final = trunk.forward_intermediates(
            images, indices=[*self.others, last], norm=True, intermediates_only=True, output_fmt="NCHW"
        )
        tokens = latent_values(trunk.attn_pool, final.flatten(2).transpose(1, 2))
        tokens = self.visual.head(trunk.head(trunk.fc_norm(tokens)))
        return (beside(as_grid(tokens, *grid), maps),)

    def at(self, height: int, width: int) -> nn.Module:
        """As `Resizable.at`: its table of positions is made for the shape."""
        if (height, width) == tuple(self.visual.trunk.patch_embed.img_size):
            return self
        own = _sharing(self)
        own.visual.trunk.set_input_size(img_size=(height, width))
        return own


def block_width(visual: Any) -> int:
    """Channels of the blocks of an image side."""
    return visual.trunk.embed_dim if hasattr(visual, "trunk") else visual.conv1.out_channels


def _sharing(body: OpenClipBody) -> Any:
    """A copy with the same weights, not copies of them."""
    return copy.deepcopy(body, {id(parameter): parameter for parameter in body.parameters()}).eval()


def _kind(name: str, visual: Any) -> tuple[type[Any], int]:
    """The body that fits an image side, and its number of blocks."""
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
    from timm.layers.attention_pool import AttentionPoolLatent

    if isinstance(visual, VisionTransformer) and visual.attn_pool is None:
        blocks = visual.transformer.resblocks
        if all(type(block) is ResidualAttentionBlock for block in blocks):
            return NativeBody, len(blocks)
    if isinstance(visual, TimmModel) and isinstance(getattr(visual.trunk, "attn_pool", None), AttentionPoolLatent):
        trunk: Any = visual.trunk
        return PooledBody, len(trunk.blocks)
    raise ModelError(
        f"the image side of {name} is neither a vision transformer of CLIP nor of SigLIP; "
        "its patches cannot be brought into the space of its texts"
    )

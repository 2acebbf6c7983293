"""The MiniLM sentence encoder, a BERT, in torch alone: importing `transformers` for it would take seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

_HEADS = 12
_EPSILON = 1e-12  # of the layer norms


def token_vectors(weights: Mapping[str, Tensor], ids: Tensor, mask: Tensor) -> Tensor:
    """The last hidden layer of the encoder.

    Parameters
    ----------
    weights : mapping
        Tensors by the names that `transformers.BertModel` gives them.
    ids : (B, L) int64
        Tokens.
    mask : (B, L) bool
        Which tokens are not padding.

    Returns
    -------
    (B, L, D) float32
    """

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], _EPSILON)

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def heads(x: Tensor) -> Tensor:  # (B, L, D) -> (B, heads, L, D / heads)
        return x.unflatten(2, (_HEADS, -1)).transpose(1, 2)

    x = word_embeddings(weights, ids) + weights["embeddings.token_type_embeddings.weight"][0]
    x = norm(x + weights["embeddings.position_embeddings.weight"][: ids.shape[1]], "embeddings.LayerNorm")  # (B, L, D)
    allowed = None if bool(mask.all()) else mask[:, None, None].expand(-1, 1, ids.shape[1], -1)
    layer = 0
    while f"encoder.layer.{layer}.output.dense.weight" in weights:
        own = f"encoder.layer.{layer}"
        query, key, value = (heads(linear(x, f"{own}.attention.self.{part}")) for part in ("query", "key", "value"))
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)  # (B, heads, L, D / heads)
        seen = linear(seen.transpose(1, 2).flatten(2), f"{own}.attention.output.dense")
        x = norm(seen + x, f"{own}.attention.output.LayerNorm")
        inner = linear(F.gelu(linear(x, f"{own}.intermediate.dense")), f"{own}.output.dense")
        x = norm(inner + x, f"{own}.output.LayerNorm")
        layer += 1
    return x


def word_embeddings(weights: Mapping[str, Tensor], ids: Tensor) -> Tensor:
    """The input embedding of every token, (B, L) -> (B, L, D)."""
    return weights["embeddings.word_embeddings.weight"][ids]

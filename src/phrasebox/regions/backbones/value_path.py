"""Patches in the space of texts: the value path of the heads of CLIP and SigLIP.

The head of such a model reads the whole image: CLIP's last block attends from the class token, SigLIP's pooling from a
learned query. Both return a mixture of the values of all patches, projected. Left to itself, without the attention that
mixes them, the value of one patch goes through the same projections and lies in the same space as texts do (MaskCLIP;
Zhou, Loy, Dai, 2022, "Extract free dense labels from CLIP").
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attention_values(attention: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """What attention would return for each token if it attended to itself alone: (B, N, D) -> (B, N, D)."""
    width = attention.embed_dim
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    values = F.linear(tokens, weight[2 * width :], None if bias is None else bias[2 * width :])
    return attention.out_proj(values)


def block_values(block: Any, tokens: Tensor) -> Tensor:
    """A block of open_clip whose attention is replaced by the values: (B, N, D) -> (B, N, D)."""
    tokens = tokens + block.ls_1(attention_values(block.attn, block.ln_1(tokens)))
    return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))


def layer_values(layer: Any, tokens: Tensor) -> Tensor:
    """A layer of CLIP in transformers whose attention is replaced by the values: (B, N, D) -> (B, N, D)."""
    attention = layer.self_attn
    tokens = tokens + attention.out_proj(attention.v_proj(layer.layer_norm1(tokens)))
    return tokens + layer.mlp(layer.layer_norm2(tokens))


def pooled_values(head: Any, tokens: Tensor) -> Tensor:
    """An attention pooling of SigLIP in transformers, for each token: (B, N, D) -> (B, N, D)."""
    values = attention_values(head.attention, tokens)
    return values + head.mlp(head.layernorm(values))


def latent_values(pool: Any, tokens: Tensor) -> Tensor:
    """An attention pooling of timm (``AttentionPoolLatent``), for each token: (B, N, D) -> (B, N, D')."""
    values = pool.proj(pool.kv(tokens).chunk(2, dim=-1)[1])
    return values if pool.mlp is None else values + pool.mlp(pool.norm(values))


def as_grid(tokens: Tensor, height: int, width: int) -> Tensor:
    """Patches (B, h * w, D) in rows -> a map (B, D, h, w)."""
    return tokens.transpose(1, 2).unflatten(2, (height, width))


def beside(last: Tensor, others: list[Tensor]) -> Tensor:
    """Maps (B, D, h, w) of one grid as one map, the last layer's channels first."""
    return torch.cat([last, *others], dim=1) if others else last

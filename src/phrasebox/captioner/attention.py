"""Looking for something among the regions of a view."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from phrasebox.captioner.state import Memory


class RegionAttention(nn.Module):
    """softmax(q k_i / sqrt(d)) v_i over the regions i, in several heads; beams of a view share its keys."""

    def __init__(self, dim: int, heads: int, layer: int = 0) -> None:
        super().__init__()
        self.heads, self.layer = heads, layer
        self.query = nn.Linear(dim, dim, bias=False)
        self.key_value = nn.Linear(dim, 2 * dim, bias=False)

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (N, heads, M, d / heads) of tokens (N, M, d): made once, used at every word."""
        keys, values = self.key_value(tokens).chunk(2, -1)
        return split_heads(keys, self.heads), split_heads(values, self.heads)

    def forward(self, wanted: Tensor, memory: Memory) -> Tensor:
        """(N * beams, d) or (N, T, d) -> what was found, of the same shape."""
        count = len(memory.focus)
        queries = split_heads(self.query(wanted).view(count, -1, wanted.shape[-1]), self.heads)
        mask = None if memory.mask is None else memory.mask[:, None, None]  # (N, 1, 1, M)
        found = F.scaled_dot_product_attention(
            queries, memory.keys[self.layer], memory.values[self.layer], attn_mask=mask
        )
        return join_heads(found).reshape(wanted.shape)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(N, T, d) -> (N, heads, T, d / heads)."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(N, heads, T, d / heads) -> (N, T, d)."""
    return x.transpose(1, 2).flatten(2)

"""A small transformer decoder over the regions of a view."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phrasebox.captioner.attention import RegionAttention, join_heads, split_heads
from phrasebox.captioner.settings import ModelSettings
from phrasebox.captioner.state import Memory, State
from phrasebox.training.dropout import Dropout

POSITIONS = 64
"""Words a transformer can write; the settings of speech ask for fewer."""


class TransformerDecoder(nn.Module):
    """Layers of attention to the words so far, attention to the regions, and a perceptron, each normalised before."""

    def __init__(self, settings: ModelSettings, dropout: float) -> None:
        super().__init__()
        self.positions = nn.Embedding(POSITIONS, settings.dim)
        nn.init.normal_(self.positions.weight, std=settings.dim**-0.5)
        self.layers = nn.ModuleList(_Layer(settings.dim, settings.heads, i, dropout) for i in range(settings.layers))
        self.last = nn.LayerNorm(settings.dim)

    def read(self, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of (N, M, d), one pair a layer."""
        return [layer.regions.read(tokens) for layer in self.layers]  # type: ignore[union-attr]

    def forward(self, memory: Memory, words: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, d) -> (N, T, d); what stands behind the end of a sentence means nothing."""
        x = words + self.positions.weight[: words.shape[1]]
        for layer in self.layers:
            x, _ = layer(x, memory, None)
        return self.last(x)

    def start(self, memory: Memory, beams: int) -> State:
        """No words yet: keys and values of length 0, one pair a layer."""
        rows, dim = len(memory.focus) * beams, self.positions.embedding_dim
        empty = memory.focus.new_zeros(rows, self.layers[0].heads, 0, dim // self.layers[0].heads)  # type: ignore[operator]
        return {f"{name}{i}": empty for i in range(len(self.layers)) for name in ("keys", "values")}

    def step(self, memory: Memory, words: Tensor, state: State) -> tuple[Tensor, State]:
        """(N * beams, d) -> (N * beams, d)."""
        x = (words + self.positions.weight[state["keys0"].shape[2]])[:, None]  # (N * beams, 1, d)
        after: State = {}
        for i, layer in enumerate(self.layers):
            x, (after[f"keys{i}"], after[f"values{i}"]) = layer(x, memory, (state[f"keys{i}"], state[f"values{i}"]))
        return self.last(x)[:, 0], after


class _Layer(nn.Module):
    def __init__(self, dim: int, heads: int, index: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.words = nn.Linear(dim, 3 * dim, bias=False)
        self.words_out, self.regions_out = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.regions = RegionAttention(dim, heads, index)
        self.inner, self.outer = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.dropout = Dropout(dropout, "sentences")

    def forward(
        self, x: Tensor, memory: Memory, before: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(rows, T, d) -> the same, and keys and values of all words so far (rows, heads, t, d / heads)."""
        queries, keys, values = (split_heads(p, self.heads) for p in self.words(self.norms[0](x)).chunk(3, -1))
        if before is not None:
            keys, values = torch.cat([before[0], keys], 2), torch.cat([before[1], values], 2)
        seen = F.scaled_dot_product_attention(queries, keys, values, is_causal=before is None)
        x = x + self.dropout(self.words_out(join_heads(seen)))
        found = self.regions(self.norms[1](x), memory)
        x = x + self.dropout(self.regions_out(found))
        return x + self.dropout(self.outer(self.dropout(F.gelu(self.inner(self.norms[2](x)))))), (keys, values)

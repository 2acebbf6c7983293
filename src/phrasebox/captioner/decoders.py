"""The decoder: the multimodal RNN of the paper, its LSTM and GRU variants, and attention to the regions of a view."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phrasebox.captioner.settings import ModelSettings

State = dict[str, Tensor]
"""What the decoder carries from one word to the next; the first dimension of every tensor is the sentence."""

_GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What the decoder reads of N views.

    Attributes
    ----------
    focus : (N, D)
        The standardised vector CNN(I_b) of the view itself, followed by its geometry where the decoder reads that.
    keys, values : (N, heads, M, d / heads) or None
        What attention reads: the view itself, then its regions; None without attention.
    mask : (N, M) bool or None
        False for regions outside the view.
    """

    focus: Tensor
    keys: Tensor | None = None
    values: Tensor | None = None
    mask: Tensor | None = None

    def select(self, rows: Tensor | slice) -> Memory:
        """The memory of some views."""
        found = (None if part is None else part[rows] for part in (self.keys, self.values, self.mask))
        return Memory(self.focus[rows], *found)


def select(state: State, rows: Tensor | slice) -> State:
    """The state of some sentences."""
    return {name: tensor[rows] for name, tensor in state.items()}


class RegionAttention(nn.Module):
    """softmax(q k_i / sqrt(d)) v_i over the regions i, in several heads; the beams of a view share its keys."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim, bias=False)
        self.key_value = nn.Linear(dim, 2 * dim, bias=False)

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (N, heads, M, d / heads) of tokens (N, M, d); computed once and used at every word."""
        keys, values = self.key_value(tokens).chunk(2, -1)
        return self._split(keys), self._split(values)

    def forward(self, wanted: Tensor, memory: Memory) -> Tensor:
        """Queries (N * beams, d) -> the weighted sum of the values (N * beams, d)."""
        assert memory.keys is not None
        assert memory.values is not None
        queries = self._split(self.query(wanted).view(len(memory.focus), -1, wanted.shape[-1]))
        mask = None if memory.mask is None else memory.mask[:, None, None]  # (N, 1, 1, M)
        found = F.scaled_dot_product_attention(queries, memory.keys, memory.values, attn_mask=mask)
        return found.transpose(1, 2).flatten(2).reshape(wanted.shape)

    def _split(self, x: Tensor) -> Tensor:
        """(N, T, d) -> (N, heads, T, d / heads)."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class RecurrentDecoder(nn.Module):
    """b_v = W_hi CNN(I_b), h_t = f(W_hx x_t + W_hh h_{t-1} + b_h + 1[t=1] b_v) (PAPER: section 7).

    f is ReLU for ``rnn``; for ``lstm`` and ``gru`` the sum is the input of their gates. With ``image="every"``, b_v
    is added at every step. With attention, the result of attending to the regions with the query h_{t-1} is added too,
    and the output is a linear map of h_t and that result. Without attention, and with a word embedding as wide as h_t,
    the output is h_t itself.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.kind, self.every, self.hidden = settings.decoder, settings.image == "every", settings.dim
        gates = _GATES[self.kind] * settings.dim
        self.input = nn.Linear(settings.embed, gates)  # W_hx, b_h
        self.recurrent = nn.Linear(settings.dim, gates, bias=self.kind == "gru")  # W_hh; a GRU resets its sum and bias
        self.image = nn.Linear(settings.focus_dim, gates, bias=False)  # W_hi
        self.attention = RegionAttention(settings.dim, settings.heads) if settings.attention else None
        if self.attention is not None:
            self.found = nn.Linear(settings.dim, gates, bias=False)
            self.out = nn.Linear(2 * settings.dim, settings.embed)
        else:
            self.out = nn.Identity() if settings.dim == settings.embed else nn.Linear(settings.dim, settings.embed)
        if self.kind == "lstm":
            with torch.no_grad():
                self.input.bias[settings.dim : 2 * settings.dim] += 1  # the forget gate starts open

    def forward(self, memory: Memory, words: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, E) -> (N, T, E); outputs at positions after the end of a sentence are undefined."""
        order = lengths.argsort(descending=True, stable=True)
        # Unbound, not indexed: the gradient of indexing one step is as large as all of them.
        memory, given = memory.select(order), self.input(words[order]).unbind(1)  # T of (N, gates)
        state = self.start(memory, 1)
        steps = torch.arange(int(lengths.max()), device=words.device)
        outputs = []
        # Sentences are sorted by length, so those that have ended are the last rows, and are dropped.
        for t, going in enumerate((lengths[:, None] > steps).sum(0).tolist()):
            if going < len(memory.focus):
                first = slice(going)
                memory, state = memory.select(first), select(state, first)
            out, state = self._advance(memory, given[t][:going], state)
            outputs.append(F.pad(out, (0, 0, 0, len(words) - going)))
        read = F.pad(torch.stack(outputs, 1), (0, 0, 0, words.shape[1] - len(outputs)))
        return self.out(read)[order.argsort()]

    def start(self, memory: Memory, beams: int) -> State:
        """h_0 = 0, and b_v, which is added at the first step."""
        image = self.image(memory.focus).repeat_interleave(beams, 0)
        hidden = image.new_zeros(len(image), self.hidden)
        return {"h": hidden, "image": image} | ({"c": hidden} if self.kind == "lstm" else {})

    def step(self, memory: Memory, words: Tensor, state: State) -> tuple[Tensor, State]:
        """(N * beams, E) -> (N * beams, E)."""
        out, state = self._advance(memory, self.input(words), state)
        return self.out(out), state

    def _advance(self, memory: Memory, given: Tensor, state: State) -> tuple[Tensor, State]:
        """One step from W_hx x_t + b_h (N, gates); returns the output before the last linear map."""
        if "image" in state:
            given = given + state["image"]
        found = None
        if self.attention is not None:
            found = self.attention(state["h"], memory)
            given = given + self.found(found)
        after = self._cell(given, state)
        if self.every:
            after["image"] = state["image"]
        out = after["h"]
        return out if found is None else torch.cat([out, found], -1), after

    def _cell(self, given: Tensor, state: State) -> State:
        h, recurrent = state["h"], self.recurrent(state["h"])
        if self.kind == "rnn":
            return {"h": torch.relu(given + recurrent)}
        if self.kind == "gru":
            reset, keep, new = (given + recurrent).chunk(3, -1)
            _, _, shared = recurrent.chunk(3, -1)
            # `new` contains the whole recurrent term; the reset gate removes its part.
            new = torch.tanh(new - (1 - torch.sigmoid(reset)) * shared)
            keep = torch.sigmoid(keep)
            return {"h": keep * h + (1 - keep) * new}
        into, forget, out, cell = (given + recurrent).chunk(4, -1)
        c = torch.sigmoid(forget) * state["c"] + torch.sigmoid(into) * torch.tanh(cell)
        return {"h": torch.sigmoid(out) * torch.tanh(c), "c": c}

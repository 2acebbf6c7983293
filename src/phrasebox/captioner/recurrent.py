"""The multimodal RNN of the paper, its LSTM and GRU kin, and the same with attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phrasebox.captioner.attention import RegionAttention
from phrasebox.captioner.settings import ModelSettings
from phrasebox.captioner.state import Memory, State, select

_GATES = {"rnn": 1, "gru": 3, "lstm": 4}


class RecurrentDecoder(nn.Module):
    """b_v = W_hi CNN(I_b), h_t = f(W_hx x_t + W_hh h_{t-1} + b_h + 1[t=1] b_v) (PAPER: section 7).

    f is ReLU for ``rnn``; for ``lstm`` and ``gru`` the sum is what enters their gates. With ``image="every"``, b_v
    enters at every step. With attention, what h_{t-1} looks for among the regions enters the sum too, and the output
    is a linear map of h_t and of what was found. Without it, the place of the box may stand behind its vector, and
    with a word embedding as wide as h_t the output is h_t itself.
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
                self.input.bias[settings.dim : 2 * settings.dim] += 1  # forget little at first

    def read(self, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of (N, M, d), one pair a layer."""
        return [] if self.attention is None else [self.attention.read(tokens)]

    def forward(self, memory: Memory, words: Tensor, lengths: Tensor) -> Tensor:
        """(N, T, E) -> (N, T, E); what stands behind the end of a sentence means nothing."""
        order = lengths.argsort(descending=True, stable=True)
        # Unbound, not indexed: the gradient of indexing one step is as large as all of them.
        memory, given = memory.select(order), self.input(words[order]).unbind(1)  # T of (N, gates)
        state = self.start(memory, 1)
        steps = torch.arange(int(lengths.max()), device=words.device)
        outputs = []
        # Sentences that have ended stand last, and are left behind.
        for t, going in enumerate((lengths[:, None] > steps).sum(0).tolist()):
            if going < len(memory.focus):
                first = slice(going)
                memory, state = memory.select(first), select(state, first)
            out, state = self._advance(memory, given[t][:going], state)
            outputs.append(F.pad(out, (0, 0, 0, len(words) - going)))
        read = F.pad(torch.stack(outputs, 1), (0, 0, 0, words.shape[1] - len(outputs)))
        return self.out(read)[order.argsort()]

    def start(self, memory: Memory, beams: int) -> State:
        """h_0 = 0, and b_v waiting for the first step."""
        image = self.image(memory.focus).repeat_interleave(beams, 0)
        hidden = image.new_zeros(len(image), self.hidden)
        return {"h": hidden, "image": image} | ({"c": hidden} if self.kind == "lstm" else {})

    def step(self, memory: Memory, words: Tensor, state: State) -> tuple[Tensor, State]:
        """(N * beams, E) -> (N * beams, E)."""
        out, state = self._advance(memory, self.input(words), state)
        return self.out(out), state

    def _advance(self, memory: Memory, given: Tensor, state: State) -> tuple[Tensor, State]:
        """One step from the input's share of the sum (N, gates); the output before the last linear map."""
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
            # `new` holds the recurrent share unreset; the reset gate takes its part of it away.
            new = torch.tanh(new - (1 - torch.sigmoid(reset)) * shared)
            keep = torch.sigmoid(keep)
            return {"h": keep * h + (1 - keep) * new}
        into, forget, out, cell = (given + recurrent).chunk(4, -1)
        c = torch.sigmoid(forget) * state["c"] + torch.sigmoid(into) * torch.tanh(cell)
        return {"h": torch.sigmoid(out) * torch.tanh(c), "c": c}

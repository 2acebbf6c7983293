"""The decoder: the multimodal RNN of the paper, its LSTM and GRU variants, and attention to the regions of a view."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from phrasebox.captioner.settings import ModelSettings

State = dict[str, Tensor]
"""What the decoder carries from one word to the next; the first dimension of every tensor is the sentence."""

_GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@dataclass(frozen=True, slots=True, eq=False)
class Attended:
    """What attention reads of N views of B images: the regions of the images, and of each view itself and their places.

    The key of region r in a view is that of its vector plus a linear map of its place in the view's box, so the first
    part is shared by all views of an image, and the second is never written out: q . (k + P p) = q . k + (P^T q) . p.

    Attributes
    ----------
    keys, values : (B, heads, R, d / heads)
        Of the regions, without their places.
    own_keys, own_values : (N, heads, d / heads)
        Of the views themselves.
    inside : (N, R) bool
        Whether each region of its image is inside each view.
    image : (N,) int64
        Image of each view.
    outside : (heads,) or (1,)
        Added to the scores of regions that are not inside: minus infinity where they are not read.
    there : (B, R) bool or None
        False for padding; None where all rows are regions.
    places : (N, R, 5) or None
        Of the regions relative to the view's box; None where places are not read.
    maps : pair of (heads, d / heads, 5), or None
        From places to parts of keys and of values, see `RegionAttention.of_places`.
    """

    keys: Tensor
    values: Tensor
    own_keys: Tensor
    own_values: Tensor
    inside: Tensor
    image: Tensor
    outside: Tensor
    there: Tensor | None = None
    places: Tensor | None = None
    maps: tuple[Tensor, Tensor] | None = None

    def select(self, rows: Tensor | slice) -> Attended:
        """Of some views; the images stay."""
        places = None if self.places is None else self.places[rows]
        keys, values = self.own_keys[rows], self.own_values[rows]
        inside, image = self.inside[rows], self.image[rows]
        return replace(self, own_keys=keys, own_values=values, inside=inside, image=image, places=places)

    def without_others(self) -> Attended:
        """The same without the images that no view is of."""
        images, image = self.image.unique(return_inverse=True)
        if len(images) == len(self.keys):
            return self
        there = None if self.there is None else self.there[images]
        return replace(self, keys=self.keys[images], values=self.values[images], image=image, there=there)


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What the decoder reads of N views.

    Attributes
    ----------
    focus : (N, D)
        The standardised vector CNN(I_b) of the view itself, followed by its geometry where the decoder reads that.
    attended : Attended or None
        None without attention.
    desk : Desk or None
        Of the same views, once they are `seated`.
    """

    focus: Tensor
    attended: Attended | None = None
    desk: Desk | None = None

    def __len__(self) -> int:
        return len(self.focus)

    def select(self, rows: Tensor | slice) -> Memory:
        """The memory of some views, not seated."""
        return Memory(self.focus[rows], None if self.attended is None else self.attended.select(rows))

    def seated(self, beams: int = 1) -> Memory:
        """The memory of ``beams`` sentences a view, which stand side by side, ready for the decoder's steps."""
        rows = torch.arange(len(self), device=self.focus.device).repeat_interleave(beams)
        found = self.select(rows) if beams > 1 else self
        if found.attended is None:
            return found
        images = found.attended.without_others()
        return Memory(found.focus, images, Desk.of(images, Seats.of(images.image, len(images.keys))))


def select(state: State, rows: Tensor | slice) -> State:
    """The state of some sentences."""
    return {name: tensor[rows] for name, tensor in state.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Seats:
    """Sentences laid out as a table of images by seats, so that those about one image share its regions.

    Attributes
    ----------
    seat : (N,) int64
        Place of each sentence in the flattened (B, S) table.
    taken : (B, S) int64
        Sentence at each place; 0 where there is none.
    """

    seat: Tensor
    taken: Tensor

    @classmethod
    def of(cls, image: Tensor, images: int) -> Seats:
        """Seat sentences about ``images`` images; of an image, those that come first have the first seats."""
        order = image.argsort(stable=True)
        count = torch.bincount(image, minlength=images)  # (B,)
        rank = torch.empty_like(image)
        rank[order] = torch.arange(len(image), device=image.device) - (count.cumsum(0) - count)[image[order]]
        width = int(count.max())
        taken = image.new_zeros(images * width)
        seat = image * width + rank
        taken[seat] = torch.arange(len(image), device=image.device)
        return cls(seat, taken.view(images, width))

    def first(self, count: int, image: Tensor) -> Seats:
        """The seats of the first ``count`` sentences, about ``image`` (count,)."""
        width = self.taken.shape[1]
        rank = self.seat[:count] - image * width
        kept = int(rank.max()) + 1
        taken = self.taken[:, :kept]
        return Seats(image * kept + rank, taken.where(taken < count, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """What attention reads for sentences at their `Seats`.

    Attributes
    ----------
    allowed : (B, heads or 1, S, R) float
        Added to the scores: 0 for regions inside the sentence's view, `Attended.outside` for others of its image, and
        minus infinity for padding.
    places : (B, S, R, 5) or None
    """

    attended: Attended
    seats: Seats
    allowed: Tensor
    places: Tensor | None

    @classmethod
    def of(cls, attended: Attended, seats: Seats) -> Desk:
        """One sentence a view."""
        inside, outside = attended.inside[seats.taken], attended.outside[:, None, None]
        allowed = torch.where(inside[:, None], torch.zeros_like(outside), outside)  # (B, heads, S, R)
        if attended.there is not None:
            allowed = allowed.masked_fill(~attended.there[:, None, None], -torch.inf)
        return cls(attended, seats, allowed, None if attended.places is None else attended.places[seats.taken])

    def first(self, count: int) -> Desk:
        """For the first sentences."""
        attended = self.attended.select(slice(count))
        seats = self.seats.first(count, attended.image)
        width = seats.taken.shape[1]
        places = None if self.places is None else self.places[:, :width]
        return Desk(attended, seats, self.allowed[:, :, :width], places)


class RegionAttention(nn.Module):
    """softmax(q k_i / sqrt(d)) v_i over the regions i, in several heads; sentences about an image share its keys."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim, bias=False)
        self.key_value = nn.Linear(dim, 2 * dim, bias=False)

    def read(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, heads, M, d / heads) of tokens (B, M, d); computed once and used at every word."""
        keys, values = self.key_value(tokens).chunk(2, -1)
        return self._split(keys), self._split(values)

    def of_places(self, place: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (heads, d / heads, 5) of places to parts of keys and of values, from the map (d, 5) to tokens."""
        both = (self.key_value.weight @ place).view(2, self.heads, -1, place.shape[1])
        return both[0], both[1]

    def forward(self, wanted: Tensor, desk: Desk) -> Tensor:
        """Queries (N, d) -> the weighted sum of the values (N, d)."""
        read, seats, maps = desk.attended, desk.seats, desk.attended.maps
        scale = (wanted.shape[1] // self.heads) ** -0.5
        asked = (self.query(wanted) * scale).unflatten(1, (self.heads, -1))  # (N, heads, d / heads)
        queries = asked[seats.taken].transpose(1, 2)  # (B, heads, S, d / heads)
        scores = queries @ read.keys.transpose(2, 3) + desk.allowed  # (B, heads, S, R)
        if maps is not None and desk.places is not None:
            towards = (queries @ maps[0]).transpose(1, 2)  # (B, S, heads, 5)
            scores = scores + (towards @ desk.places.transpose(2, 3)).transpose(1, 2)
        own = (asked * read.own_keys).sum(2)[seats.taken].transpose(1, 2)  # (B, heads, S)
        shares = torch.cat([own[..., None], scores], -1).softmax(-1)
        of_own, of_regions = shares[..., 0], shares[..., 1:]
        found = of_regions @ read.values  # (B, heads, S, d / heads)
        if maps is not None and desk.places is not None:
            where = (of_regions.transpose(1, 2) @ desk.places).transpose(1, 2)  # (B, heads, S, 5)
            found = found + where @ maps[1].transpose(1, 2)
        found = found.transpose(1, 2).flatten(0, 1)[seats.seat]  # (N, heads, d / heads)
        of_own = of_own.transpose(1, 2).flatten(0, 1)[seats.seat]  # (N, heads)
        return (found + of_own[..., None] * read.own_values).flatten(1)

    def _split(self, x: Tensor) -> Tensor:
        """(B, M, d) -> (B, heads, M, d / heads)."""
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
        """Outputs (W, E) after each of W words (W, E): of N sentences of ``lengths`` (N,), all one after another."""
        order = lengths.argsort(descending=True, stable=True)
        rank = order.argsort()
        # Sentences are sorted by length, so those that have ended are the last rows, and are dropped.
        steps = torch.arange(int(lengths.max()), device=words.device)
        going = (lengths[:, None] > steps).sum(0)  # (T,)
        place = (going.cumsum(0) - going + rank[:, None])[lengths[:, None] > steps]  # (W,), by step, then by length
        memory = memory.select(order).seated()
        state, desk = self.start(memory), memory.desk
        outputs = []
        # Split, not indexed: the gradient of indexing one step is as large as all of them.
        for given in self.input(words[place.argsort()]).split(going.tolist()):
            if len(given) < len(state["h"]):
                state, desk = select(state, slice(len(given))), None if desk is None else desk.first(len(given))
            out, state = self._advance(desk, given, state)
            outputs.append(out)
        return self.out(torch.cat(outputs)[place])

    def start(self, memory: Memory) -> State:
        """h_0 = 0, and b_v, which is added at the first step."""
        image = self.image(memory.focus)
        hidden = image.new_zeros(len(image), self.hidden)
        return {"h": hidden, "image": image} | ({"c": hidden} if self.kind == "lstm" else {})

    def step(self, memory: Memory, words: Tensor, state: State) -> tuple[Tensor, State]:
        """(N, E) -> (N, E), for a memory that is `Memory.seated`."""
        out, state = self._advance(memory.desk, self.input(words), state)
        return self.out(out), state

    def _advance(self, desk: Desk | None, given: Tensor, state: State) -> tuple[Tensor, State]:
        """One step from W_hx x_t + b_h (N, gates); returns the output before the last linear map."""
        if "image" in state:
            given = given + state["image"]
        found = None
        if self.attention is not None:
            assert desk is not None
            found = self.attention(state["h"], desk)
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

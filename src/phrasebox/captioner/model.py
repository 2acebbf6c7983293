"""The captioner's network: what it remembers of a view, and the decoder that writes about it (PAPER: section 7).

Every decoder has the same methods: ``read`` prepares what attention looks at, ``forward`` reads given words, ``start``
and ``step`` write one word at a time with a state whose rows can be chosen anew.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phrasebox.captioner.recurrent import RecurrentDecoder
from phrasebox.captioner.settings import ModelSettings
from phrasebox.captioner.state import Memory, State
from phrasebox.captioner.transformer import TransformerDecoder
from phrasebox.captioner.views import Views
from phrasebox.text.vocabulary import FIRST, UNKNOWN
from phrasebox.training.dropout import Dropout


class CaptionerModel(nn.Module):
    """Word embedding, decoder and output layer over the regions of a view.

    The region vectors are standardised by the mean and spread of the training vectors, an affine map that W_hi
    of the paper could hold as well.
    """

    def __init__(self, settings: ModelSettings, words: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.settings = settings
        width = settings.dim if settings.decoder == "transformer" else settings.embed
        self.embedding = nn.Embedding(words, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.shift = nn.Buffer(torch.zeros(settings.vector_dim))
        self.scale = nn.Buffer(torch.ones(settings.vector_dim))
        if settings.attention:
            self.regions = nn.Linear(settings.vector_dim, settings.dim)
            self.focus = nn.Linear(settings.vector_dim, settings.dim)
            self.place = nn.Linear(5, settings.dim) if settings.geometry else None
            self.frame = nn.Linear(5, settings.dim) if settings.geometry else None
        if settings.decoder == "transformer":
            self.decoder = TransformerDecoder(settings, dropout / 2)
        else:
            self.decoder = RecurrentDecoder(settings)
        self.output = None if settings.tied else nn.Parameter(torch.randn(words, width) * width**-0.5)  # W_oh
        self.bias = nn.Parameter(torch.zeros(words))  # b_o
        self.dropout = Dropout(dropout, "sentences")
        self.view_dropout = Dropout(dropout / 2, "views")
        self.image_dropout = Dropout(dropout / 2, "images")

    def standardise(self, mean: Tensor, spread: Tensor) -> None:
        """Take the mean and standard deviation (D,) of the training vectors; a silent channel is not blown up."""
        self.shift.copy_(mean)
        self.scale.copy_(spread + 0.05)

    def remember(self, views: Views) -> Memory:
        """What the decoder sees of each view: its own vector, and with attention the regions in it."""
        rows = torch.arange(len(views), device=views.image.device)
        own = self.view_dropout(self._standard(views.regions.vectors[views.image, views.focus]))  # (N, D)
        if not self.settings.attention:
            return Memory(torch.cat([own, views.frame()], 1) if self.settings.placed else own)
        tokens = self.regions(self.image_dropout(self._standard(views.regions.vectors)))[views.image]  # (N, R, d)
        focus = self.focus(own)
        if self.place is not None and self.frame is not None:
            places, frame = views.places()
            tokens, focus = tokens + self.place(places), focus + self.frame(frame)
        tokens = torch.cat([focus[:, None], tokens], 1)  # (N, 1 + R, d)
        mask = torch.cat([rows[:, None] >= 0, views.visible()], 1)
        keys, values = zip(*self.decoder.read(tokens), strict=True)
        return Memory(own, keys, values, mask)

    def _standard(self, vectors: Tensor) -> Tensor:
        return (vectors - self.shift) / self.scale

    def forward(self, memory: Memory, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Outputs (N, T, E) after each of the first ``lengths`` (N,) inputs (N, T); `logits` makes words of them."""
        return self.dropout(self.decoder(memory, self.dropout(self.embedding(inputs)), lengths))

    def compile_parts(self) -> None:
        """Compile what compiles: a transformer whole; of a recurrent decoder, whose loop has another length each time,
        nothing, but the projections of regions.
        """
        if self.settings.decoder == "transformer":
            self.decoder.compile(dynamic=True)
        if self.settings.attention:
            self.regions.compile(dynamic=True)

    def start(self, memory: Memory, beams: int = 1) -> State:
        """The state of ``beams`` unwritten sentences a view."""
        return self.decoder.start(memory, beams)

    def step(self, memory: Memory, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (N * beams, V) of the word after ``inputs`` (N * beams,), and the state then."""
        out, state = self.decoder.step(memory, self.embedding(inputs), state)
        return self.logits(out), state

    def logits(self, outputs: Tensor) -> Tensor:
        """Y = W_oh h + b_o (..., V); minus infinity for what is never written."""
        y = F.linear(outputs, self.embedding.weight if self.output is None else self.output, self.bias)
        y[..., UNKNOWN:FIRST] = -math.inf  # UNKNOWN and START
        return y

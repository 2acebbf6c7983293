"""The captioner's network: word embedding, region projections, decoder and output layer (PAPER: section 7)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phrasebox.captioner.decoders import Memory, RecurrentDecoder, State
from phrasebox.captioner.settings import ModelSettings
from phrasebox.captioner.targets import Views
from phrasebox.text.vocabulary import FIRST, UNKNOWN


class CaptionerModel(nn.Module):
    """Word embedding, decoder and output layer over the regions of a view.

    Region vectors are standardised by the mean and standard deviation of the training vectors, an affine map that
    W_hi of the paper could contain as well.
    """

    def __init__(self, settings: ModelSettings, words: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.settings = settings
        self.embedding = nn.Embedding(words, settings.embed)
        nn.init.normal_(self.embedding.weight, std=settings.embed**-0.5)
        self.shift = nn.Buffer(torch.zeros(settings.vector_dim))
        self.scale = nn.Buffer(torch.ones(settings.vector_dim))
        if settings.attention:
            self.regions = nn.Linear(settings.vector_dim, settings.dim)
            self.focus = nn.Linear(settings.vector_dim, settings.dim)
            self.place = nn.Linear(5, settings.dim) if settings.geometry else None
            self.frame = nn.Linear(5, settings.dim) if settings.geometry else None
        self.decoder = RecurrentDecoder(settings)
        tied = settings.tied
        self.output = None if tied else nn.Parameter(torch.randn(words, settings.embed) * settings.embed**-0.5)  # W_oh
        self.bias = nn.Parameter(torch.zeros(words))  # b_o
        self.dropout = nn.Dropout(dropout)
        self.image_dropout = nn.Dropout(dropout / 2)

    def standardise(self, mean: Tensor, spread: Tensor) -> None:
        """Set the mean and standard deviation (D,) of the training vectors; constant channels are not amplified."""
        self.shift.copy_(mean)
        self.scale.copy_(spread + 0.05)

    def remember(self, views: Views) -> Memory:
        """Encode each view: its own vector and, with attention, the regions inside it."""
        rows = torch.arange(len(views), device=views.image.device)
        own = self.image_dropout(self._standard(views.regions.vectors[views.image, views.focus]))  # (N, D)
        attention = self.decoder.attention
        if attention is None:
            return Memory(torch.cat([own, views.frame()], 1) if self.settings.placed else own)
        tokens = self.regions(self.image_dropout(self._standard(views.regions.vectors)))[views.image]  # (N, R, d)
        focus = self.focus(own)
        if self.place is not None and self.frame is not None:
            places, frame = views.places()
            tokens, focus = tokens + self.place(places), focus + self.frame(frame)
        tokens = torch.cat([focus[:, None], tokens], 1)  # (N, 1 + R, d)
        mask = torch.cat([rows[:, None] >= 0, views.visible()], 1)
        return Memory(own, *attention.read(tokens), mask)

    def _standard(self, vectors: Tensor) -> Tensor:
        return (vectors - self.shift) / self.scale

    def forward(self, memory: Memory, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Outputs (N, T, E) after each of the first ``lengths`` (N,) inputs (N, T); `logits` maps them to words."""
        return self.dropout(self.decoder(memory, self.dropout(self.embedding(inputs)), lengths))

    def compile_parts(self) -> None:
        """Compile the projection of regions; the decoder's loop has another length each time and is not compiled."""
        if self.settings.attention:
            self.regions.compile(dynamic=True)

    def start(self, memory: Memory, beams: int = 1) -> State:
        """The state before the first word, for ``beams`` sentences a view."""
        return self.decoder.start(memory, beams)

    def step(self, memory: Memory, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (N * beams, V) of the word after ``inputs`` (N * beams,), and the next state."""
        out, state = self.decoder.step(memory, self.embedding(inputs), state)
        return self.logits(out), state

    def logits(self, outputs: Tensor) -> Tensor:
        """Y = W_oh h + b_o (..., V); minus infinity for UNKNOWN and START, which are never written."""
        y = F.linear(outputs, self.embedding.weight if self.output is None else self.output, self.bias)
        y[..., UNKNOWN:FIRST] = -math.inf
        return y

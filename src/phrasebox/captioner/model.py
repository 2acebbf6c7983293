"""The captioner's network: word embedding, region projections, decoder and output layer (PAPER: section 7)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phrasebox.captioner.decoders import Attended, Memory, RecurrentDecoder, State
from phrasebox.captioner.settings import ModelSettings
from phrasebox.captioner.targets import Views
from phrasebox.text.vocabulary import FIRST, UNKNOWN

_OUTSIDE = -3.0  # added at first to the score of a region outside what is described


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
            self.outside = nn.Parameter(torch.full((settings.heads,), _OUTSIDE)) if settings.context else None
            self.around = nn.Linear(settings.vector_dim, settings.dim, bias=False) if settings.context else None
            if self.around is not None:
                nn.init.zeros_(self.around.weight)
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
        """Encode each view: its own vector and, with attention, the regions inside it and in its image."""
        own = self.image_dropout(self._standard(views.regions.vectors[views.image, views.focus]))  # (N, D)
        attention = self.decoder.attention
        if attention is None:
            return Memory(torch.cat([own, views.frame()], 1) if self.settings.placed else own)
        tokens = self.regions(self.image_dropout(self._standard(views.regions.vectors)))  # (B, R, d)
        focus, places, maps = self.focus(own), None, None
        if self.place is not None and self.frame is not None:
            places, frame = views.places()
            tokens, focus = tokens + self.place.bias, focus + self.frame(frame)
            maps = attention.of_places(self.place.weight)
        if self.around is not None:  # a box sees the whole image, which sees itself already
            whole = self.around(self._standard(views.regions.vectors[:, 0]))  # (B, d)
            focus = focus + whole[views.image] * (views.focus > 0)[:, None]
        outside = self.shift.new_full((1,), -math.inf) if self.outside is None else self.outside
        keys, values = attention.read(tokens)
        own_keys, own_values = (part[:, :, 0] for part in attention.read(focus[:, None]))
        inside, there = views.inside(), views.regions.mask
        found = Attended(keys, values, own_keys, own_values, inside, views.image, outside, there, places, maps)
        return Memory(own, found)

    def _standard(self, vectors: Tensor) -> Tensor:
        return (vectors - self.shift) / self.scale

    def forward(self, memory: Memory, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Outputs (W, E) after the first ``lengths`` (N,) inputs (N, T) of each sentence, one after another.

        `logits` maps them to words.
        """
        words = inputs[lengths[:, None] > torch.arange(inputs.shape[1], device=inputs.device)]  # (W,)
        return self.dropout(self.decoder(memory, self.dropout(self.embedding(words)), lengths))

    def compile_parts(self) -> None:
        """Compile the projection of regions; the decoder's loop has another length each time and is not compiled."""
        if self.settings.attention:
            self.regions.compile(dynamic=True)

    def start(self, memory: Memory) -> State:
        """The state before the first word."""
        return self.decoder.start(memory)

    def step(self, memory: Memory, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (N, V) of the word after ``inputs`` (N,), and the next state; the memory is `Memory.seated`."""
        out, state = self.decoder.step(memory, self.embedding(inputs), state)
        return self.logits(out), state

    def logits(self, outputs: Tensor) -> Tensor:
        """Y = W_oh h + b_o (..., V); minus infinity for UNKNOWN and START, which are never written."""
        return F.linear(outputs, *self._reading())

    def _reading(self) -> tuple[Tensor, Tensor]:
        """W_oh and b_o, minus infinity for what is never written."""
        barred = torch.zeros_like(self.bias, dtype=torch.bool)
        barred[UNKNOWN:FIRST] = True
        return self.embedding.weight if self.output is None else self.output, self.bias.masked_fill(barred, -math.inf)

    def log_likelihoods(self, outputs: Tensor, words: Tensor, smoothing: float = 0.0) -> Tensor:
        """Log y of one word (W,) after each of the outputs (W, E), less the share ``smoothing`` of it for the mean.

        The mean is that of log y over all words that can be written; it needs no table of them: the mean of the logits
        is a linear map of the output as well.
        """
        weight, bias = self._reading()
        total = F.linear(outputs, weight, bias).float().logsumexp(-1)  # (W,)
        found = (outputs * weight[words]).sum(-1) + bias[words]
        if smoothing:
            written = bias.isfinite()
            mean = outputs @ weight[written].mean(0) + bias[written].mean()
            found = (1 - smoothing) * found + smoothing * mean
        return found.float() - total

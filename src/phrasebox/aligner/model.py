"""The aligner's network: region vectors v_i and word vectors s_t in one space (PAPER: sections 2 to 4)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from phrasebox.aligner.score import pair_scores
from phrasebox.aligner.settings import ModelSettings
from phrasebox.text.encoders import AUTO, DEFAULT
from phrasebox.text.encoders.scratch import PADDING, UNKNOWN

if TYPE_CHECKING:
    from phrasebox.aligner.data import WordBatch
    from phrasebox.training.region_batch import RegionBatch

# The temperature is learned as its logarithm; it starts here and may not pass the second number.
_TEMPERATURE, _HOTTEST = 15.0, 100.0

# Of the usual first outputs of W_m and W_d where vectors are not brought to length 1. Scores then start well inside the
# margin: with larger ones what all pairs share is undone first, and the ReLUs behind it die of that.
_SMALL = 0.3

# What the standardised region vectors are multiplied with there, and the first weights of W_m divided by. Most elements
# of the gradient are clipped, so that all weights move by the same; those of W_m, which has thousands of inputs, have
# to be as large as the others for it.
_GAIN = 0.1


# Share of the words of a step that are read as unknown ones, so that the vector of unknown words is trained.
_HIDDEN = 0.05
_SPREAD = 0.4  # standard deviation of the first vectors of parts of words


class WordTable(nn.Module):
    """x_t = W_w 1_t (PAPER: section 3), trained with the aligner: the mean of the vectors of a word's parts."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.EmbeddingBag(rows, width, mode="mean", padding_idx=PADDING)
        nn.init.normal_(self.vectors.weight, std=_SPREAD)

    def begin(self, vectors: Tensor) -> None:
        """Take first vectors (rows, D) of mean square 1; a part whose vector is 0 keeps its random one."""
        known = vectors.any(1)
        with torch.no_grad():
            self.vectors.weight[known] = _SPREAD * vectors[known]

    def forward(self, parts: Tensor) -> Tensor:
        """Numbers of parts (T, K) -> (T, D)."""
        if self.training:
            hidden = torch.rand(len(parts), device=parts.device) < _HIDDEN
            own = torch.where(hidden, UNKNOWN, parts[:, 0])
            parts = torch.cat([own[:, None].to(parts), parts[:, 1:]], dim=1)
        return self.vectors(parts)


class RegionProjection(nn.Module):
    """v_i = W_m CNN(I_b) + b_m (PAPER: section 2), with the box's geometry added if the model has it."""

    def __init__(self, settings: ModelSettings, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(settings.vector_dim, settings.dim)
        self.geometry = nn.Linear(5, settings.dim) if settings.geometry else None
        self.dropout = nn.Dropout(dropout)
        self.gain = None if settings.normalise else nn.Buffer(torch.tensor(_GAIN))
        # Mean and spread of the training vectors, so that W_m starts from channels of one size.
        self.shift = nn.Buffer(torch.zeros(settings.vector_dim))
        self.scale = nn.Buffer(torch.ones(settings.vector_dim))

    def standardise(self, mean: Tensor, spread: Tensor) -> None:
        """Take the mean and standard deviation (D,) of the training vectors; a silent channel is not blown up."""
        self.shift.copy_(mean)
        self.scale.copy_(spread + 0.05)

    def forward(self, vectors: Tensor, geometry: Tensor) -> Tensor:
        """(B, R, D) and (B, R, 5) -> (B, R, h)."""
        if self.training and self.dropout.p:
            # Whole channels of an image, not single numbers: all its regions see the same channels.
            vectors = vectors * self.dropout(vectors.new_ones(len(vectors), 1, vectors.shape[2]))
        scale = self.scale if self.gain is None else self.scale / self.gain
        weight = self.linear.weight / scale  # folds (x - shift) / scale into the product
        out = F.linear(vectors, weight, self.linear.bias - weight @ self.shift)  # (B, R, h)
        return out if self.geometry is None else out + self.geometry(geometry)


class WordPerceptron(nn.Module):
    """s_t = W [x_t, x] + MLP([x_t, x]), x the mean of the sentence's x_t: a word beside its sentence."""

    def __init__(self, settings: ModelSettings, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * settings.word_width, settings.dim)
        self.inner = nn.Linear(2 * settings.word_width, settings.hidden)
        self.outer = nn.Linear(settings.hidden, settings.dim)
        self.last = (self.linear, self.outer)  # whose sum s_t is
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """(T, D) -> (T, h)."""
        owner = torch.repeat_interleave(torch.arange(len(lengths), device=words.device), lengths)
        mean = words.new_zeros(len(lengths), words.shape[1]).index_add(0, owner, words)  # (L, D)
        mean = mean / lengths.clamp(min=1)[:, None]
        both = torch.cat([words, mean[owner]], dim=1)  # (T, 2 D)
        return self.linear(both) + self.outer(self.dropout(F.gelu(self.inner(both))))


class WordRecurrence(nn.Module):
    """The paper's BRNN, or a bidirectional LSTM or GRU in its place (PAPER: section 3).

    e_t = f(W_e x_t + b_e), hf_t = f(e_t + W_f hf_{t-1} + b_f), hb_t = f(e_t + W_b hb_{t+1} + b_b),
    s_t = f(W_d (hf_t + hb_t) + b_d), f = ReLU. The input of the recurrence is e_t itself, so the cells' own
    input matrices are kept at the identity for ``brnn``.
    """

    def __init__(self, settings: ModelSettings, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Linear(settings.word_width, settings.hidden)
        self.kind = settings.encoder
        size = settings.hidden
        if self.kind == "brnn":
            self.cells = nn.RNN(size, size, nonlinearity="relu", bidirectional=True)
            for name, parameter in self.cells.named_parameters():
                if name.startswith("weight_ih"):
                    nn.init.eye_(parameter)
                    parameter.requires_grad_(False)
                elif name.startswith("weight_hh"):
                    # A ReLU recurrence that neither dies nor explodes at the start (Le et al., 2015).
                    with torch.no_grad():
                        parameter.copy_(0.5 * torch.eye(size))
                elif name.startswith("bias_ih"):
                    nn.init.zeros_(parameter)
                    parameter.requires_grad_(False)
        else:
            self.cells = {"lstm": nn.LSTM, "gru": nn.GRU}[self.kind](size, size, bidirectional=True)
        self.out = nn.Linear(size, settings.dim)
        self.last = (self.out,)  # W_d
        self.dropout = nn.Dropout(dropout)
        # Mean and spread of the training words' vectors, an affine map that W_e and b_e could hold as well.
        self.shift = nn.Buffer(torch.zeros(settings.word_width))
        self.scale = nn.Buffer(torch.ones(()))

    def standardise(self, mean: Tensor, spread: Tensor) -> None:
        """Take the mean (D,) of the training words' vectors, and their standard deviation over all numbers."""
        self.shift.copy_(mean)
        self.scale.copy_(spread)

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        """(T, D), lengths (L,) -> (T, h); sentences without words are passed over."""
        sizes = [n for n in lengths.tolist() if n]
        if not sizes:
            return words.new_zeros(0, self.out.out_features)
        embedded = F.relu(self.embed(self.dropout((words - self.shift) / self.scale)))  # (T, H)
        packed = pack_sequence(list(embedded.split(sizes)), enforce_sorted=False)
        states, _ = self.cells(packed)
        both = states.data.view(len(states.data), 2, -1).sum(1)  # hf_t + hb_t, (T, H)
        summed = PackedSequence(both, states.batch_sizes, states.sorted_indices, states.unsorted_indices)
        hidden = torch.cat(nn.utils.rnn.unpack_sequence(summed))  # (T, H) in the order given
        out = self.out(self.dropout(hidden))
        return F.relu(out) if self.kind == "brnn" else out


class Head(nn.Module):
    """One part of the region vectors and the words into a space of their own."""

    def __init__(self, settings: ModelSettings, dropout: float) -> None:
        super().__init__()
        self.normalise = settings.normalise
        self.regions = RegionProjection(settings, dropout / 2)
        encoder = WordPerceptron if settings.encoder == "mlp" else WordRecurrence
        self.words = encoder(settings, dropout)
        if not settings.normalise:
            with torch.no_grad():
                for last in (self.regions.linear, *self.words.last):
                    last.weight.mul_(_SMALL)
                    last.bias.zero_()
                self.regions.linear.weight.div_(_GAIN)

    def vector_norms(self, vectors: Tensor, geometry: Tensor, mask: Tensor) -> Tensor:
        """As `AlignerModel.vector_norms`, of this part alone."""
        lengths = self.regions(vectors, geometry).norm(dim=-1) * mask
        mean = lengths.sum(1, keepdim=True) / mask.sum(1, keepdim=True)
        return lengths / mean.clamp(min=1e-12)

    def embed_regions(self, vectors: Tensor, geometry: Tensor) -> Tensor:
        """As `AlignerModel.embed_regions`, of this part alone."""
        out = self.regions(vectors, geometry)
        return F.normalize(out, dim=-1) if self.normalise else out

    def embed_words(self, words: Tensor, lengths: Tensor) -> Tensor:
        """As `AlignerModel.embed_words`, for this part alone."""
        out = self.words(words, lengths)
        return F.normalize(out, dim=-1) if self.normalise else out


class AlignerModel(nn.Module):
    """Regions and words of images and sentences into one space, and the score of every pair.

    Where region vectors have several parts, from several networks, each part has a head with words of its own. The
    heads learn apart, since one network over all parts learns no more than over the first: it fits the training images
    before it needs the others. Their vectors one after the other are v_i and s_t, so that v_i . s_t is the mean of
    what the heads think. Where the settings leave the word encoder open, it is the default one.
    """

    def __init__(self, settings: ModelSettings, dropout: float = 0.0) -> None:
        super().__init__()
        self.settings = settings = replace(settings, words=DEFAULT) if settings.words == AUTO else settings
        self.table = WordTable(settings.vocabulary, settings.word_width) if settings.vocabulary else None
        self.heads = nn.ModuleList(Head(settings.of_part(i), dropout) for i in range(len(settings.widths)))
        self.log_temperature = nn.Parameter(torch.tensor(math.log(_TEMPERATURE)), requires_grad=settings.normalise)

    @property
    def _heads(self) -> list[Head]:
        return cast(list[Head], list(self.heads))

    @property
    def temperature(self) -> Tensor:
        """Factor on the scores in the contrastive loss and in posteriors; 1 for a model that does not normalise."""
        return self.log_temperature.exp().clamp(max=_HOTTEST) if self.settings.normalise else torch.ones(())

    def embed_regions(self, vectors: Tensor, geometry: Tensor) -> Tensor:
        """v_i of every region: (B, R, D), (B, R, 5) -> (B, R, h)."""
        parts = vectors.split(self.settings.widths, dim=-1)
        return self._join([head.embed_regions(part, geometry) for head, part in zip(self._heads, parts, strict=True)])

    def vector_norms(self, batch: RegionBatch) -> Tensor:
        """Norm of each region's vector before normalisation, divided by their mean over the image: (B, R).

        0 for padding; the mean over the heads. Regions that tell the model little, such as sky or a wall, have small
        norms.
        """
        device = self.log_temperature.device
        vectors, geometry = batch.vectors.to(device).float(), batch.geometry.to(device)
        mask = torch.ones(vectors.shape[:2], device=device) if batch.mask is None else batch.mask.to(device).float()
        parts = vectors.split(self.settings.widths, dim=-1)
        found = [head.vector_norms(part, geometry, mask) for head, part in zip(self._heads, parts, strict=True)]
        return torch.stack(found).mean(0)

    def embed_words(self, words: Tensor, lengths: Tensor) -> Tensor:
        """s_t of every word of all sentences, packed: (T, D), or (T, K) numbers of parts, and (L,) -> (T, h)."""
        if not len(words):
            return self.log_temperature.new_zeros(0, self.settings.dim)
        words = words if self.table is None else self.table(words)
        return self._join([head.embed_words(words, lengths) for head in self._heads])

    def _join(self, parts: list[Tensor]) -> Tensor:
        """What the heads give, side by side; of length 1 if they are."""
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1) / math.sqrt(len(parts))

    def embed_images(self, batch: RegionBatch) -> tuple[Tensor, Tensor | None]:
        """v_i of a batch (B, R, h) and which of them are not padding (B, R), None if all, on the model's device."""
        device = self.log_temperature.device
        v = self.embed_regions(batch.vectors.to(device).float(), batch.geometry.to(device))
        return v, None if batch.mask is None else batch.mask.to(device)

    def embed_sentences(self, batch: WordBatch) -> tuple[Tensor, Tensor]:
        """s_t of a batch, packed (T, h), and the lengths of its sentences (L,), on the model's device."""
        device = self.log_temperature.device
        lengths = batch.lengths.to(device)
        return self.embed_words(batch.vectors.to(device), lengths), lengths

    def compile_parts(self) -> None:
        """Compile what compiles: the projections, and perceptrons; recurrences stay as they are."""
        for head in self._heads:
            head.regions.compile(dynamic=True)
            if isinstance(head.words, WordPerceptron):
                head.words.compile(dynamic=True)

    def standardise(self, mean: Tensor, spread: Tensor) -> None:
        """Take the mean and standard deviation (D,) of the training vectors."""
        parts = zip(mean.split(self.settings.widths), spread.split(self.settings.widths), strict=True)
        for head, (shift, scale) in zip(self._heads, parts, strict=True):
            head.regions.standardise(shift, scale)

    def standardise_words(self, mean: Tensor, spread: Tensor) -> None:
        """Take the mean (D,) and the spread of the training words' vectors, where a recurrence reads them."""
        for head in self._heads:
            if isinstance(head.words, WordRecurrence):
                head.words.standardise(mean, spread)

    @property
    def standard(self) -> tuple[Tensor, Tensor]:
        """What `standardise` was given: (D,) and (D,), the spread with what keeps a silent channel small."""
        projections = [head.regions for head in self._heads]
        return torch.cat([p.shift for p in projections]), torch.cat([p.scale for p in projections])

    def scores(self, regions: Tensor, words: Tensor, lengths: Tensor, mask: Tensor | None = None) -> Tensor:
        """S_kl of embedded regions (B, R, h) and words (T, h): (B, L) (PAPER: section 4)."""
        return pair_scores(regions, words, lengths, mask, mean=self.settings.mean)

    def head_scores(self, regions: Tensor, words: Tensor, lengths: Tensor, mask: Tensor | None = None) -> Tensor:
        """`scores` of each head alone: (B, P, L)."""
        if len(self.heads) == 1:
            return self.scores(regions, words, lengths, mask)[:, None]
        pairs = zip(regions.chunk(len(self.heads), dim=-1), words.chunk(len(self.heads), dim=-1), strict=True)
        # The shares of v_i . s_t that the heads have, times their number again: what each thinks by itself.
        own = [self.scores(v.contiguous(), s.contiguous(), lengths, mask) * len(self.heads) for v, s in pairs]
        return torch.stack(own, dim=1)

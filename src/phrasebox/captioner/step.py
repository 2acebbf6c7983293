"""The gradient of one batch of sentences, in as many parts and processes as it takes; one of each is the plain case.

Losses are means over the words, or the images, of the whole batch, whose number every process knows; so the parts add
up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from phrasebox.captioner.batch import cross_entropy, mix_in, pad, targets
from phrasebox.captioner.corpus import MAX_WORDS, Corpus
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.reward import Critic, self_critical
from phrasebox.captioner.settings import TrainSettings
from phrasebox.captioner.views import Views
from phrasebox.pipeline.prefetch import ahead
from phrasebox.text.vocabulary import Lexicon
from phrasebox.training import distributed
from phrasebox.training import dropout as noise
from phrasebox.training.execution import Execution
from phrasebox.training.region_batch import RegionBatch


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Images of a batch, their sentences, and what this process has to do of it.

    Attributes
    ----------
    images : (B,) int64
    rows : (M,) int64
        Sentences of the corpus, grouped in the order of ``images``.
    parts : list of slice
        Of the images of this process, those that are taken at a time.
    """

    images: np.ndarray
    rows: np.ndarray
    parts: list[slice]


@dataclass(frozen=True, slots=True, eq=False)
class _Sentences:
    """The sentences of a batch that are learned word by word, with the views that they are about."""

    rows: np.ndarray  # (M,) of the corpus
    place: np.ndarray  # (M,) their image in the batch, ascending
    views: np.ndarray  # (2, N) image in the batch and focus; sentences about the same view share what is remembered
    owner: np.ndarray  # (M,) view of each sentence
    longest: int  # inputs T of the longest
    total: float  # weight of all target words

    def of(self, images: slice) -> tuple[slice, slice]:
        """The sentences about some images in a row, and the views."""
        found = [np.searchsorted(places, (images.start, images.stop)) for places in (self.place, self.views[0])]
        sentences, views = (slice(int(a), int(b)) for a, b in found)
        return sentences, views


class Gradient:
    """Puts the gradient of a batch's loss into the parameters of a model."""

    def __init__(
        self,
        model: CaptionerModel,
        corpus: Corpus,
        lexicon: Lexicon,
        settings: TrainSettings,
        critic: Critic | None,
        device: str,
        execution: Execution,
        scale: Callable[[Tensor], Tensor],
    ) -> None:
        self.model, self.corpus, self.settings, self.critic = model, corpus, settings, critic
        self.device, self.execution, self.scale = device, execution, scale
        self.repeatable = torch.from_numpy(lexicon.repeatable()).to(device)
        self.sentences = [lexicon.encode(text) for text in corpus.texts]
        self.targets = targets(self.sentences, MAX_WORDS)
        self.replica = distributed.Replica(model)

    def batch(self, images: np.ndarray, rows: np.ndarray) -> Batch:
        """What this process has to do of a batch."""
        return Batch(images, rows, self.execution.parts(distributed.share(len(images))))

    def read(self, batches: Iterable[Batch]) -> Generator[RegionBatch]:
        """The regions of every part of every batch, in order."""
        requests = (torch.from_numpy(batch.images[part]) for batch in batches for part in batch.parts)
        if self.corpus.in_memory:
            return (self.corpus.regions[rows] for rows in requests)
        return ahead(self.corpus.regions.__getitem__, requests)

    def __call__(
        self, batch: Batch, read: Iterator[RegionBatch], phase: str, mixed: float = 0.0
    ) -> tuple[float, float, float]:
        """Add the gradient, summed over all processes.

        Parameters
        ----------
        read : iterator of RegionBatch
            Gives the parts of this batch next.
        phase : {"words", "reward"}
        mixed : float
            Share of input words that are the model's own.

        Returns
        -------
        loss, told, reward : float
            This process's share of the loss, of the cross-entropy and of the mean reward, the last two NaN where the
            batch has none; the shares of all processes add up.
        """
        self.model.train()
        rows = batch.rows if phase == "words" else batch.rows[self.corpus.focus[batch.rows] > 0]
        told = self._sentences(batch.images, rows) if len(rows) else None
        judged = 0 if phase == "words" or self.critic is None else sum(i in self.critic for i in batch.images.tolist())
        whole = batch.parts == [slice(0, len(batch.images))]
        # What is drawn while speaking depends on what was said before, and cannot be dealt out.
        dealt = not whole and phase == "words" and not mixed and told is not None
        losses = np.zeros(3)
        for i, part in enumerate(batch.parts):
            noise.deal(self.model, self._deals(batch, told, part) if dealt and told else None, anew=i == 0)
            work = partial(self._part, batch, part, next(read), told, judged, whole, mixed)
            with self.execution.autocast(self.device):
                loss, *shares = self.replica(work, i == len(batch.parts) - 1)
            losses += [float(loss.detach()), *shares]
            self.scale(loss).backward()
        loss, entropy, reward = losses.tolist()
        return loss, entropy if told else math.nan, reward if judged else math.nan

    def _part(
        self,
        batch: Batch,
        part: slice,
        regions: RegionBatch,
        told: _Sentences | None,
        judged: int,
        whole: bool,
        mixed: float,
    ) -> tuple[Tensor, float, float]:
        """The share that some images have in the loss, the cross-entropy and the mean reward."""
        entropy, reward, loss = 0.0, 0.0, torch.zeros((), device=self.device)
        if judged and self.critic is not None:
            images = batch.images[part].tolist()
            spoken_of = [place for place, image in enumerate(images) if image in self.critic]
            if spoken_of:
                views = Views.whole(regions[torch.tensor(spoken_of)]).to(self.device)
                judges = [images[place] for place in spoken_of]
                total = 0 if whole else judged
                found, reward = self_critical(self.model, views, judges, self.critic, self.repeatable, MAX_WORDS, total)
                loss = loss + found
        if told is not None:
            sentences, _ = told.of(part)
            if sentences.stop > sentences.start:
                found = self._cross_entropy(told, part, regions, whole, mixed)
                entropy = float(found.detach())
                loss = loss + found
        if not loss.requires_grad:  # nothing to learn here, which the other processes need not know
            loss = loss + torch.stack([(p * 0).sum() for p in self.model.parameters()]).sum()
        return loss, entropy, reward

    def _cross_entropy(self, told: _Sentences, part: slice, regions: RegionBatch, whole: bool, mixed: float) -> Tensor:
        sentences, views = told.of(part)
        rows = told.rows[sentences]
        image, focus = told.views[:, views]
        seen = Views(regions, torch.from_numpy(image - part.start), torch.from_numpy(focus)).to(self.device)
        spoken = pad([self.sentences[i] for i in rows], MAX_WORDS, told.longest).to(self.device)
        owner = torch.from_numpy(told.owner[sentences] - views.start).to(self.device)
        memory = self.model.remember(seen).select(owner)
        if mixed:
            spoken = mix_in(self.model, memory, spoken, mixed)
        weight = torch.from_numpy(self.corpus.weight[rows]).to(self.device)
        total = None if whole else told.total
        return cross_entropy(self.model, memory, spoken, weight, self.settings.smoothing, total)

    def _sentences(self, images: np.ndarray, rows: np.ndarray) -> _Sentences:
        place = np.argsort(images)[np.searchsorted(np.sort(images), self.corpus.image[rows])]
        views, owner = np.unique(np.stack([place, self.corpus.focus[rows]]), axis=1, return_inverse=True)
        longest = max(min(MAX_WORDS, len(self.sentences[i])) for i in rows) + 1
        total = float(np.dot(self.corpus.weight[rows].astype(np.float64), self.targets[rows]))
        return _Sentences(rows, place, views, owner.reshape(-1), longest, total)

    def _deals(self, batch: Batch, told: _Sentences, part: slice) -> dict[str, noise.Deal]:
        own = distributed.share(len(batch.images))
        mine, here = (own, *told.of(own)), (part, *told.of(part))
        totals = len(batch.images), len(told.rows), told.views.shape[1]
        return {
            name: noise.Deal(now, all_mine, total)
            for name, now, all_mine, total in zip(("images", "sentences", "views"), here, mine, totals, strict=True)
        }

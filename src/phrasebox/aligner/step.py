"""The gradient of one batch, computed in micro-batches and by several processes.

The loss compares every image with every sentence of the batch, so gradients of micro-batches cannot simply be added.
Each process embeds its own images and sentences, one micro-batch at a time and without a graph; the loss's gradient is
taken with respect to the embeddings; then every micro-batch is embedded again, with the same random numbers, and the
gradient is propagated through the networks (Gao et al., *Scaling Deep Contrastive Learning Batch Size under Memory
Limited Setup*, 2021). A share of one micro-batch is embedded once. Processes exchange the word vectors, not those of
regions, of which there are far more: every process scores its own images with all sentences, and then the rows of
scores are gathered.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from phrasebox.aligner.data import Pairs, pack
from phrasebox.aligner.model import AlignerModel
from phrasebox.pipeline.prefetch import ahead
from phrasebox.training import distributed
from phrasebox.training.execution import Execution, seeded, step_seed
from phrasebox.training.region_batch import RegionBatch

Loss = Callable[[Tensor, Tensor], Tensor]
"""Maps scores (B, L), multiplied by the temperature, and the image of every sentence (L,) to a scalar."""


@dataclass(frozen=True)
class Plan:
    """What one step computes; known to every process before anything is read.

    Attributes
    ----------
    images : (B,) int64
        Of the whole batch.
    captions : (L,) int64
        Grouped in the order of ``images``.
    counts : (B,) int64
        Number of captions of each image.
    lengths : (L,) int64
        Number of words of each caption.
    parts : list of slice
        Micro-batches of this process: slices of the batch's images.
    view : int
        The view that is read: 0 for the images themselves, k for ``Pairs.views[k - 1]``.
    """

    images: np.ndarray
    captions: np.ndarray
    counts: np.ndarray
    lengths: np.ndarray
    parts: list[slice]
    view: int = 0

    @cached_property
    def ends(self) -> np.ndarray:
        """Where the captions of each image end (B + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    @cached_property
    def word_ends(self) -> np.ndarray:
        """Where the words of each caption end (L + 1,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    def captions_of(self, images: slice) -> slice:
        """The captions of consecutive images."""
        return slice(int(self.ends[images.start]), int(self.ends[images.stop]))

    def words_of(self, images: slice) -> slice:
        """The words of the captions of consecutive images."""
        captions = self.captions_of(images)
        return slice(int(self.word_ends[captions.start]), int(self.word_ends[captions.stop]))


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Images and their captions, as they are read from memory or disk."""

    regions: RegionBatch
    sentences: list[np.ndarray]


class Batches:
    """Plans of batches, and their data, read ahead where it is on disk."""

    def __init__(self, pairs: Pairs, execution: Execution) -> None:
        self.pairs, self.execution = pairs, execution
        self.lengths = [each.lengths() for each in (pairs, *pairs.views)]

    def plan(self, images: np.ndarray, captions: np.ndarray) -> Plan:
        """What this process computes of a batch of images, with captions grouped in their order.

        A batch is of one view, which follows from its images and the epoch's seed.
        """
        place = np.argsort(images)[np.searchsorted(np.sort(images), self.pairs.owner[captions])]
        counts = np.bincount(place, minlength=len(images))
        parts = self.execution.parts(distributed.share(len(images)))
        view = step_seed(images) % (1 + len(self.pairs.views))
        return Plan(images, captions, counts, self.lengths[view][captions], parts, view)

    def read(self, plans: Iterable[Plan]) -> Generator[Read]:
        """Every part of every plan in order; twice if a plan has several."""
        requests = (
            (plan.view, plan.images[part], plan.captions[plan.captions_of(part)])
            for plan in plans
            for _ in range(1 if len(plan.parts) == 1 else 2)
            for part in plan.parts
        )
        return (self._read(r) for r in requests) if self.pairs.in_memory else ahead(self._read, requests)

    def _read(self, request: tuple[int, np.ndarray, np.ndarray]) -> Read:
        view, images, captions = request
        pairs = (self.pairs, *self.pairs.views)[view]
        return Read(pairs.regions[torch.from_numpy(images)], [pairs.sentences[i] for i in captions.tolist()])


def kept_regions(count: int, drop: float) -> Tensor | None:
    """Regions (R',) int64 that a step reads of every image; None for all.

    A fraction ``drop`` of the ``count`` regions is left out at random, but never the whole image (region 0).
    """
    dropped = int(drop * (count - 1))
    if not dropped:
        return None
    return torch.cat([torch.zeros(1, dtype=torch.int64), torch.randperm(count - 1)[dropped:].sort().values + 1])


@dataclass(frozen=True, slots=True, eq=False)
class _Embedded:
    v: Tensor  # (b, R, h)
    mask: Tensor | None
    s: Tensor  # (t, h)
    temperature: Tensor


class Gradient:
    """Adds the gradient of a batch's loss to the parameters of a model."""

    def __init__(
        self,
        model: AlignerModel,
        device: str,
        execution: Execution,
        scale: Callable[[Tensor], Tensor] = lambda loss: loss,
    ) -> None:
        self.model, self.device, self.execution, self.scale = model, device, execution, scale
        self.replica = distributed.Replica(model)

    def __call__(self, plan: Plan, kept: Tensor | None, read: Iterator[Read], loss: Loss) -> float:
        """Add the gradient of ``loss``, summed over all processes; returns the loss.

        Parameters
        ----------
        kept : (R',) int64 or None
            Regions to read of every image, as `kept_regions` draws them.
        read : iterator of Read
            Gives the parts of this plan next, and if there are several, gives them a second time.
        """
        several = len(plan.parts) > 1
        whole = not several and distributed.world() == 1
        seed = None if whole else step_seed(plan.images)
        with torch.no_grad() if several else torch.enable_grad():
            first = [self._embed(part, kept, next(read), seed, not several) for part in plan.parts]
        leaves, value = self._leaves(plan, first, loss)
        if not several:
            _backward(first[0], *leaves)
            return value
        images = words = 0
        for i, (part, once) in enumerate(zip(plan.parts, first, strict=True)):
            last = i == len(plan.parts) - 1
            again = self._embed(part, kept, next(read), seed, last)
            v, s, temperature = leaves
            rows, columns = slice(images, images + len(once.v)), slice(words, words + len(once.s))
            _backward(again, v[rows], s[columns], temperature if last else None)
            images, words = rows.stop, columns.stop
        return value

    def _embed(self, part: slice, kept: Tensor | None, read: Read, seed: int | None, last: bool) -> _Embedded:
        regions = read.regions if kept is None else read.regions.some(kept)
        words = pack(read.sentences)

        def work() -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
            v, mask = self.model.embed_images(regions)
            s, _ = self.model.embed_sentences(words)
            return v, mask, s, self.model.temperature

        with self.execution.autocast(self.device), seeded(None if seed is None else seed + part.start, self.device):
            return _Embedded(*self.replica(work, last))

    def _leaves(
        self, plan: Plan, parts: list[_Embedded], loss: Loss
    ) -> tuple[tuple[Tensor, Tensor, Tensor | None], float]:
        """Gradients with respect to this process's v (b, R, h), s (t, h) and the temperature, and the loss."""
        v = torch.cat([part.v.detach() for part in parts]).requires_grad_()
        s = torch.cat([part.s.detach() for part in parts])
        masks = [part.mask for part in parts if part.mask is not None]
        mask = torch.cat(masks) if masks else None
        temperature = parts[0].temperature.detach().requires_grad_(self.model.settings.normalise)
        shares = [distributed.share(len(plan.images), of) for of in range(distributed.world())]
        words = [plan.words_of(images) for images in shares]
        own = distributed.rank()
        s = distributed.gather_rows(s, [_size(part) for part in words]).requires_grad_()  # (T, h) of all
        lengths = torch.from_numpy(plan.lengths).to(v.device)
        owner = torch.from_numpy(np.repeat(np.arange(len(plan.images)), plan.counts)).to(v.device)
        with self.execution.autocast(self.device):
            rows = self.model.head_scores(v, s, lengths, mask)
        rows = rows.float() * temperature  # (b, P, L)
        if distributed.world() == 1:
            value = _mean_loss(loss, rows, owner)
            self.scale(value).backward()
        else:
            table = distributed.gather_rows(rows, [_size(part) for part in shares]).requires_grad_()  # (B, P, L)
            value = _mean_loss(loss, table, owner)
            self.scale(value).backward()
            assert table.grad is not None
            rows.backward(table.grad[shares[own]])
        assert v.grad is not None
        assert s.grad is not None
        to_words = distributed.summed(s.grad)[words[own]].to(s.dtype)
        return (v.grad, to_words, temperature.grad), float(value.detach())


def _mean_loss(loss: Loss, table: Tensor, owner: Tensor) -> Tensor:
    """Mean over the P heads, which have a loss each, of scores (B, P, L)."""
    return torch.stack([loss(scores, owner) for scores in table.unbind(1)]).mean()


def _size(part: slice) -> int:
    return part.stop - part.start


def _backward(embedded: _Embedded, v: Tensor, s: Tensor, temperature: Tensor | None) -> None:
    pairs = [(embedded.v, v), (embedded.s, s), (embedded.temperature, temperature)]
    pairs = [(tensor, grad) for tensor, grad in pairs if tensor.requires_grad and grad is not None]
    torch.autograd.backward([tensor for tensor, _ in pairs], [grad for _, grad in pairs])

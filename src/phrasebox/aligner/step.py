"""The gradient of one batch, in as many parts and processes as it takes; one of each is the plain case.

The loss compares every image with every sentence of the batch, so a batch cannot simply be added up from parts. Each
process embeds its own images and sentences, part by part and without remembering how; the loss's gradient is taken
with respect to the embeddings; then every part is embedded again, with the same random numbers, and the gradient goes
on through the networks (Gao et al., *Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup*, 2021).
A share of one part is embedded once. Among processes the words go around, not the regions, of which there are far
more: every process scores its own images with all sentences, and the rows of scores go around.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from phrasebox.aligner.data import Pairs, pack
from phrasebox.aligner.model import AlignerModel
from phrasebox.pipeline.prefetch import ahead
from phrasebox.training import distributed
from phrasebox.training import dropout as noise
from phrasebox.training.execution import Execution
from phrasebox.training.region_batch import RegionBatch

Loss = Callable[[Tensor, Tensor], Tensor]
"""From scores (B, L), times the temperature, and the image of every sentence (L,), to a scalar."""


@dataclass(frozen=True)
class Plan:
    """What one step does: known to every process, before anything is read.

    Attributes
    ----------
    images : (B,) int64
        Of the whole batch.
    captions : (L,) int64
        Grouped in the order of ``images``.
    counts : (B,) int64
        Captions of each image.
    parts : list of slice
        Of the images of this process, those that are embedded at a time.
    """

    images: np.ndarray
    captions: np.ndarray
    counts: np.ndarray
    parts: list[slice]

    @cached_property
    def ends(self) -> np.ndarray:
        """Where the captions of each image end (B + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    def captions_of(self, images: slice) -> slice:
        """The captions of some images in a row."""
        return slice(int(self.ends[images.start]), int(self.ends[images.stop]))


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """Images and their captions, as they come from memory or disk."""

    regions: RegionBatch
    sentences: list[np.ndarray]


class Batches:
    """Plans of batches, and what they need, read ahead where it is not in memory."""

    def __init__(self, pairs: Pairs, execution: Execution) -> None:
        self.pairs, self.execution = pairs, execution

    def plan(self, images: np.ndarray, captions: np.ndarray) -> Plan:
        """What this process has to do of a batch of images, with captions grouped in their order."""
        place = np.argsort(images)[np.searchsorted(np.sort(images), self.pairs.owner[captions])]
        counts = np.bincount(place, minlength=len(images))
        return Plan(images, captions, counts, self.execution.parts(distributed.share(len(images))))

    def read(self, plans: Iterable[Plan]) -> Generator[Read]:
        """Every part of every plan in order; where a plan has several, twice."""
        requests = (
            (plan.images[part], plan.captions[plan.captions_of(part)])
            for plan in plans
            for _ in range(1 if len(plan.parts) == 1 else 2)
            for part in plan.parts
        )
        return (self._read(r) for r in requests) if self.pairs.in_memory else ahead(self._read, requests)

    def _read(self, request: tuple[np.ndarray, np.ndarray]) -> Read:
        images, captions = request
        return Read(self.pairs.regions[torch.from_numpy(images)], [self.pairs.sentences[i] for i in captions.tolist()])


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What is left out of a step at random, the same in all processes.

    Attributes
    ----------
    regions : (R',) int64 or None
        Regions of every image; None for all.
    words : list of (T',) int64, or None
        Words of every sentence of the batch; None for all.
    lengths : (L,) int64
        Words of every sentence then.
    """

    regions: Tensor | None
    words: list[np.ndarray] | None
    lengths: np.ndarray

    @classmethod
    def draw(cls, regions: int, lengths: np.ndarray, drop_regions: float, drop_words: float) -> Kept:
        """Leave out shares of the regions, but never the whole image (row 0), and of the words, but never all."""
        kept, drop = None, int(drop_regions * (regions - 1))
        if drop:
            order = torch.randperm(regions - 1)[drop:].sort().values
            kept = torch.cat([torch.zeros(1, dtype=torch.int64), order + 1])
        words = [_some(n, drop_words) for n in lengths.tolist()] if drop_words else None
        return cls(kept, words, lengths if words is None else np.array([len(w) for w in words], np.int64))

    def of_regions(self, batch: RegionBatch) -> RegionBatch:
        """A batch with the kept regions alone."""
        return batch if self.regions is None else batch.some(self.regions)

    def of_words(self, sentences: Sequence[np.ndarray], place: slice) -> list[np.ndarray]:
        """The kept words of the sentences at ``place`` in the batch."""
        if self.words is None:
            return list(sentences)
        return [s[kept] for s, kept in zip(sentences, self.words[place], strict=True)]


def _some(count: int, share: float) -> np.ndarray:
    kept = torch.rand(count) >= share
    kept[int(torch.randint(count, ()))] = True
    return kept.numpy().nonzero()[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Embedded:
    v: Tensor  # (b, R, h)
    mask: Tensor | None
    s: Tensor  # (t, h)
    temperature: Tensor


class Gradient:
    """Puts the gradient of a batch's loss into the parameters of a model."""

    def __init__(
        self,
        model: AlignerModel,
        device: str,
        execution: Execution,
        scale: Callable[[Tensor], Tensor] = lambda loss: loss,
    ) -> None:
        self.model, self.device, self.execution, self.scale = model, device, execution, scale
        self.replica = distributed.Replica(model)

    def __call__(self, plan: Plan, kept: Kept, read: Iterator[Read], loss: Loss) -> float:
        """Add the gradient of ``loss``, summed over all processes; the loss itself.

        Parameters
        ----------
        read : iterator of Read
            Gives the parts of this plan next, and if there are several, gives them a second time.
        """
        ends = np.concatenate([[0], np.cumsum(kept.lengths)])  # where the words of each sentence end
        several = len(plan.parts) > 1
        with torch.no_grad() if several else torch.enable_grad():
            first = [
                self._embed(plan, kept, ends, part, next(read), i == 0, not several)
                for i, part in enumerate(plan.parts)
            ]
        leaves, value = self._leaves(plan, kept, ends, first, loss)
        if not several:
            _backward(first[0], *leaves)
            return value
        images = words = 0
        for i, (part, once) in enumerate(zip(plan.parts, first, strict=True)):
            last = i == len(plan.parts) - 1
            again = self._embed(plan, kept, ends, part, next(read), False, last)
            v, s, temperature = leaves
            rows, columns = slice(images, images + len(once.v)), slice(words, words + len(once.s))
            _backward(again, v[rows], s[columns], temperature if last else None)
            images, words = rows.stop, columns.stop
        return value

    def _embed(
        self, plan: Plan, kept: Kept, ends: np.ndarray, part: slice, read: Read, anew: bool, last: bool
    ) -> _Embedded:
        own, captions = distributed.share(len(plan.images)), plan.captions_of(part)
        whole = own == part == slice(0, len(plan.images))
        deals = {
            "images": noise.Deal(part, own, len(plan.images)),
            "words": noise.Deal(_words(ends, captions), _words(ends, plan.captions_of(own)), int(ends[-1])),
        }
        noise.deal(self.model, None if whole else deals, anew)
        regions, words = kept.of_regions(read.regions), pack(kept.of_words(read.sentences, captions))

        def work() -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
            v, mask = self.model.embed_images(regions)
            s, _ = self.model.embed_sentences(words)
            return v, mask, s, self.model.temperature

        with self.execution.autocast(self.device):
            return _Embedded(*self.replica(work, last))

    def _leaves(
        self, plan: Plan, kept: Kept, ends: np.ndarray, parts: list[_Embedded], loss: Loss
    ) -> tuple[tuple[Tensor, Tensor, Tensor | None], float]:
        """Gradients with respect to this process's v (b, R, h), s (t, h) and the temperature, and the loss."""
        v = torch.cat([part.v.detach() for part in parts]).requires_grad_()
        s = torch.cat([part.s.detach() for part in parts])
        masks = [part.mask for part in parts if part.mask is not None]
        mask = torch.cat(masks) if masks else None
        temperature = parts[0].temperature.detach().requires_grad_(self.model.settings.normalise)
        shares = [distributed.share(len(plan.images), of) for of in range(distributed.world())]
        words = [_words(ends, plan.captions_of(images)) for images in shares]
        own = distributed.rank()
        s = distributed.gather_rows(s, [_size(part) for part in words]).requires_grad_()  # (T, h) of all
        lengths = torch.from_numpy(kept.lengths).to(v.device)
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
    """Of the heads, which learn apart, in (B, P, L)."""
    return torch.stack([loss(scores, owner) for scores in table.unbind(1)]).mean()


def _words(ends: np.ndarray, captions: slice) -> slice:
    return slice(int(ends[captions.start]), int(ends[captions.stop]))


def _size(part: slice) -> int:
    return part.stop - part.start


def _backward(embedded: _Embedded, v: Tensor, s: Tensor, temperature: Tensor | None) -> None:
    pairs = [(embedded.v, v), (embedded.s, s), (embedded.temperature, temperature)]
    pairs = [(tensor, grad) for tensor, grad in pairs if tensor.requires_grad and grad is not None]
    torch.autograd.backward([tensor for tensor, _ in pairs], [grad for _, grad in pairs])

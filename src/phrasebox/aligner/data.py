"""Training and validation pairs in memory: region vectors of images, word vectors of their captions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from phrasebox.aligner.model import geometry
from phrasebox.errors import DataError
from phrasebox.types import Regions
from phrasebox.wordvectors import DIM, Sentence

_SAMPLED = 64  # images whose vectors tell data sets apart


@dataclass(frozen=True, slots=True, eq=False)
class RegionBatch:
    """Regions of B images, padded to the same number R.

    Attributes
    ----------
    vectors : (B, R, D) float32 or float16
    geometry : (B, R, 5) float32
    mask : (B, R) bool or None
        False for padding; None where every image has R regions.
    maps : tuple of (B, C, h, w) float16
        Of each network, what its last blocks start from, where those are trained (see `phrasebox.aligner.tuned`).
    """

    vectors: Tensor
    geometry: Tensor
    mask: Tensor | None
    maps: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, rows: Tensor) -> RegionBatch:
        mask = None if self.mask is None else self.mask[rows]
        return RegionBatch(self.vectors[rows], self.geometry[rows], mask, tuple(each[rows] for each in self.maps))

    def some(self, columns: Tensor) -> RegionBatch:
        """The same images with some of their regions alone."""
        mask = None if self.mask is None else self.mask[:, columns]
        return replace(self, vectors=self.vectors[:, columns], geometry=self.geometry[:, columns], mask=mask)

    @property
    def count(self) -> int:
        """R."""
        return self.vectors.shape[1]

    @property
    def width(self) -> int:
        """D."""
        return self.vectors.shape[2]


class RegionSource(Protocol):
    """Regions of the N images of a split, wherever they are; a `RegionBatch` has them in memory."""

    def __len__(self) -> int:
        """N."""
        ...

    def __getitem__(self, rows: Tensor) -> RegionBatch:
        """Those of some images, all padded alike."""
        ...

    @property
    def count(self) -> int:
        """R, regions to which every image is padded."""
        ...

    @property
    def width(self) -> int:
        """D, length of a vector."""
        ...


def collate(regions: Sequence[Regions], count: int = 0) -> RegionBatch:
    """Stack the vectors and boxes of images, padding those with fewer regions to the most of any, or to ``count``.

    Raises
    ------
    DataError
        If there is no image, or one has no vectors, or vectors of another width than the first.
    """
    if not regions:
        raise DataError("no image to collate; give at least one")
    counts = [len(r) for r in regions]
    most = max(count, max(counts))
    widths = {None if r.vectors is None else r.vectors.shape[1] for r in regions}
    if None in widths or len(widths) > 1:
        raise DataError(f"regions need vectors of one width to be aligned, got {sorted(map(str, widths))}")
    vectors = np.zeros((len(regions), most, widths.pop() or 0), np.float16)
    boxes = np.zeros((len(regions), most, 4), np.float32)
    for row, (r, n) in enumerate(zip(regions, counts, strict=True)):
        vectors[row, :n] = r.vectors
        boxes[row, :n] = r.boxes
    sides = torch.tensor([[r.width, r.height] for r in regions], dtype=torch.float32)
    mask = None if min(counts) == most else torch.arange(most)[None] < torch.tensor(counts)[:, None]
    return RegionBatch(torch.from_numpy(vectors), geometry(torch.from_numpy(boxes), sides[:, 0], sides[:, 1]), mask)


@dataclass(frozen=True, slots=True, eq=False)
class WordBatch:
    """Word vectors of sentences, one after the other without padding.

    Attributes
    ----------
    vectors : (T, 384)
    lengths : (L,) int64
    """

    vectors: Tensor
    lengths: Tensor


def pack(sentences: Sequence[np.ndarray]) -> WordBatch:
    """Join the (T_i, 384) word vectors of sentences."""
    lengths = torch.tensor([len(s) for s in sentences], dtype=torch.int64)
    joined = np.concatenate(sentences) if len(sentences) else np.zeros((0, DIM), np.float16)
    return WordBatch(torch.from_numpy(joined).float(), lengths)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Images of a split with their captions.

    Attributes
    ----------
    regions : RegionSource
        Of all N images, in half precision.
    sentences : sequence of (T, 384) float16
        Of all captions with at least one word.
    owner : (L,) int64
        Image of every caption, in ascending order.
    keys : sequence of str
        Of the images, where they are known.
    """

    regions: RegionSource
    sentences: Sequence[np.ndarray]
    owner: np.ndarray
    keys: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.regions)

    @property
    def in_memory(self) -> bool:
        """Whether reading vectors costs nothing."""
        return isinstance(self.regions, RegionBatch)

    def lengths(self) -> np.ndarray:
        """Words of every caption (L,) int64."""
        known = getattr(self.sentences, "lengths", None)
        return np.array([len(s) for s in self.sentences], np.int64) if known is None else known

    def fingerprint(self) -> str:
        """Tells these pairs from others: owners, lengths of sentences, and the vectors of up to 64 images.

        Not the word vectors, which another device makes a little differently.
        """
        digest = hashlib.blake2b(self.owner.tobytes(), digest_size=16)
        digest.update(self.lengths().tobytes())
        rows = torch.linspace(0, len(self) - 1, min(len(self), _SAMPLED)).long()
        sample = self.regions[rows]
        for tensor in (sample.vectors, sample.geometry):
            digest.update(repr(tuple(tensor.shape)).encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @classmethod
    def gather(cls, regions: Iterable[Sequence[Regions]], captions: Mapping[str, Sequence[Sentence]]) -> Pairs:
        """Join regions with the captions of their image; images without a caption of at least one word are left out."""
        parts: list[RegionBatch] = []
        sentences: list[np.ndarray] = []
        owner: list[int] = []
        keys: list[str] = []
        for batch in regions:
            kept = [r for r in batch if any(len(s.words) for s in captions.get(r.key, ()))]
            if kept:
                parts.append(collate(kept))
            for r in kept:
                own = [s.vectors for s in captions[r.key] if len(s.words)]
                sentences += own
                owner += [len(keys)] * len(own)
                keys.append(r.key)
        return cls(join(parts), sentences, np.array(owner, np.int64), keys)


def join(parts: list[RegionBatch]) -> RegionBatch:
    """One batch of several, padded to the most regions of any; the list is emptied, so that memory is not doubled."""
    if not parts:
        return RegionBatch(torch.zeros(0, 1, 1), torch.zeros(0, 1, 5), None)
    most, images, dim = max(p.count for p in parts), sum(map(len, parts)), parts[0].width
    even = all(p.mask is None and p.count == most for p in parts)
    mask = torch.zeros(images, most, dtype=torch.bool)
    joined = RegionBatch(torch.zeros(images, most, dim, dtype=torch.float16), torch.zeros(images, most, 5), mask)
    row = images
    while parts:
        p = parts.pop()
        row -= len(p)
        here = slice(row, row + len(p)), slice(0, p.count)
        joined.vectors[here], joined.geometry[here] = p.vectors, p.geometry
        mask[here] = True if p.mask is None else p.mask
    return RegionBatch(joined.vectors, joined.geometry, None) if even else joined


def epoch_batches(
    pairs: Pairs, batch: int, captions: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Shuffled batches that show every caption of every image once.

    Images are visited in rounds of up to ``captions`` captions each; a round is cut into batches of ``batch``
    images, the rest of a round joining the next. A single image that is left over, which has no negative, is left out.

    Yields
    ------
    images : (B,) int64
        At least two, each once.
    captions : (L,) int64
        Indices into ``pairs.sentences``, grouped in the order of ``images``.
    """
    starts = np.searchsorted(pairs.owner, np.arange(len(pairs) + 1))
    own = [rng.permutation(np.arange(a, b)) for a, b in pairwise(starts.tolist())]
    rounds = -(-max(map(len, own)) // captions) if own else 0
    waiting: dict[int, np.ndarray] = {}
    for turn in range(rounds):
        # Images that still wait from the round before come last: a batch holds no image twice.
        for i in sorted(rng.permutation(len(pairs)).tolist(), key=waiting.__contains__):
            shown = own[i][turn * captions : (turn + 1) * captions]
            if not len(shown):
                continue
            if i in waiting:
                if len(waiting) > 1:
                    yield _batch(waiting)
                waiting = {}
            waiting[i] = shown
            if len(waiting) == batch:
                yield _batch(waiting)
                waiting = {}
    if len(waiting) > 1:
        yield _batch(waiting)


def _batch(captions: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(list(captions)), np.concatenate(list(captions.values()))

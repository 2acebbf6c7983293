"""Training and validation pairs in memory: region vectors of images, word vectors of their captions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from phrasebox.text.word_vectors import Sentence
from phrasebox.training.region_batch import RegionBatch, RegionSource, collate, join
from phrasebox.types import Regions

_SAMPLED = 64  # images whose vectors tell data sets apart


@dataclass(frozen=True, slots=True, eq=False)
class WordBatch:
    """Words of sentences, one after the other without padding.

    Attributes
    ----------
    vectors : (T, D) float32, or (T, K) int32
        As of `phrasebox.text.word_vectors.Sentence`.
    lengths : (L,) int64
    """

    vectors: Tensor
    lengths: Tensor


def pack(sentences: Sequence[np.ndarray]) -> WordBatch:
    """Join the (T_i, D) word vectors of sentences, or the (T_i, K) numbers of their parts."""
    lengths = torch.tensor([len(s) for s in sentences], dtype=torch.int64)
    joined = torch.from_numpy(np.concatenate(sentences) if len(sentences) else np.zeros((0, 0), np.float16))
    return WordBatch(joined.float() if joined.is_floating_point() else joined, lengths)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Images of a split with their captions.

    Attributes
    ----------
    regions : RegionSource
        Regions of all N images, vectors in half precision.
    sentences : sequence of (T, D) float16, or (T, K) int32
        Words of all captions with at least one, as of `phrasebox.text.word_vectors.Sentence`.
    owner : (L,) int64
        Image of every caption, in ascending order.
    keys : sequence of str
        Keys of the images, where they are known.
    words : sequence of tuple of str
        The words of every caption, where they are known.
    views : tuple of Pairs
        The same images and captions for each further view: a part of the image, and the caption of its mirror image
        where it is flipped.
    """

    regions: RegionSource
    sentences: Sequence[np.ndarray]
    owner: np.ndarray
    keys: Sequence[str] = ()
    words: Sequence[tuple[str, ...]] = ()
    views: tuple[Pairs, ...] = ()

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

    def first_captions(self) -> Pairs:
        """The same images, each with its first caption only."""
        first = np.unique(self.owner, return_index=True)[1]
        words = [self.words[i] for i in first] if self.words else ()
        return Pairs(self.regions, [self.sentences[i] for i in first], self.owner[first], self.keys, words)

    def fingerprint(self) -> str:
        """Tells these pairs from others: owners, lengths of sentences, and the vectors of up to 64 images and views.

        Not the word vectors, which another device makes a little differently.
        """
        digest = hashlib.blake2b(self.owner.tobytes(), digest_size=16)
        digest.update(self.lengths().tobytes())
        rows = torch.linspace(0, len(self) - 1, min(len(self), _SAMPLED)).long()
        sample = self.regions[rows]
        for tensor in (sample.vectors, sample.geometry):
            digest.update(repr(tuple(tensor.shape)).encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        for view in self.views:
            digest.update(view.fingerprint().encode())
        return digest.hexdigest()

    @classmethod
    def gather(cls, regions: Iterable[Sequence[Regions]], captions: Mapping[str, Sequence[Sentence]]) -> Pairs:
        """Join regions with the captions of their image; images without a caption of at least one word are left out."""
        parts: list[RegionBatch] = []
        sentences: list[np.ndarray] = []
        owner: list[int] = []
        keys: list[str] = []
        said: list[tuple[str, ...]] = []
        for batch in regions:
            kept = [r for r in batch if any(len(s.words) for s in captions.get(r.key, ()))]
            if kept:
                parts.append(collate(kept))
            for r in kept:
                spoken = [s for s in captions[r.key] if len(s.words)]
                own = [s.vectors for s in spoken]
                said += [tuple(word.text for word in s.words) for s in spoken]
                sentences += own
                owner += [len(keys)] * len(own)
                keys.append(r.key)
        return cls(join(parts), sentences, np.array(owner, np.int64), keys, said)


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

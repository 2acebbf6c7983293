"""CIDEr-D, the consensus of a caption with its references: the reward of training and what stops it early."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

_N = 4  # longest n-gram
_SIGMA = 6.0  # of the Gaussian that punishes another length than the reference's

Tokens = Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class _Vector:
    """tf-idf of the n-grams of one sentence, one table a length n, with their norms."""

    weights: tuple[dict[tuple, float], ...]
    norms: tuple[float, ...]
    bigrams: int


class CiderD:
    """Scores sentences against the references of their image, with n-gram rarities over all those references.

    Parameters
    ----------
    references : sequence of sequences of token sequences
        At least one sentence for each image.

    Examples
    --------
    >>> scorer = CiderD([["a dog runs fast".split()], ["two cats sleep here".split()]])
    >>> scorer.score(0, "a dog runs fast".split()), scorer.score(1, "a dog runs fast".split())
    (10.0, 0.0)
    """

    def __init__(self, references: Sequence[Sequence[Tokens]]) -> None:
        counted = [[_ngrams(r) for r in of_image] for of_image in references]
        frequency = Counter(gram for of_image in counted for gram in set().union(*of_image))
        images = math.log(max(1, len(references)))
        self._unseen = images
        self._rarity = {gram: images - math.log(n) for gram, n in frequency.items()}
        self._references = [[self._vector(grams) for grams in of_image] for of_image in counted]

    def score(self, image: int, tokens: Tokens) -> float:
        """CIDEr-D of one sentence about image number ``image``; 10 at most, around 1 in the COCO evaluation."""
        found = self._vector(_ngrams(tokens))
        references = self._references[image]
        return 10 * sum(_similarity(found, reference) for reference in references) / len(references)

    def _vector(self, grams: Counter[tuple]) -> _Vector:
        weights: tuple[dict[tuple, float], ...] = tuple({} for _ in range(_N))
        for gram, count in grams.items():
            weights[len(gram) - 1][gram] = count * self._rarity.get(gram, self._unseen)
        norms = tuple(math.sqrt(sum(w * w for w in table.values())) for table in weights)
        return _Vector(weights, norms, sum(n for gram, n in grams.items() if len(gram) == 2))


def _ngrams(tokens: Tokens) -> Counter[tuple]:
    line = tuple(tokens)
    return Counter(line[i : i + n] for n in range(1, _N + 1) for i in range(len(line) - n + 1))


def _similarity(found: _Vector, reference: _Vector) -> float:
    total = 0.0
    for mine, theirs, norm, other in zip(found.weights, reference.weights, found.norms, reference.norms, strict=True):
        shared = sum(min(w, theirs[gram]) * theirs[gram] for gram, w in mine.items() if gram in theirs)
        if norm and other:
            total += shared / (norm * other)
    gap = found.bigrams - reference.bigrams
    return total / _N * math.exp(-gap * gap / (2 * _SIGMA**2))

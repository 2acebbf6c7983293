"""What a network knows about regions and words before it sees a caption of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from cachetools import LRUCache
from torch import Tensor

from phrasebox.text.english import is_content
from phrasebox.types import Regions

NAMED = 0.25
"""`Prior.nearness` from which on a word is known: a cosine of 0.6 with a class name."""

UNITS = 24.0
"""Temperature of the built-in aligner, in whose units the weight of a prior is."""

_WORDS = 20_000  # words that are remembered


class Prior(Protocol):
    """A table of words by regions that needs no training: the products of vectors of both.

    As v_i . s_t of the aligner, so that both add up by joining their vectors, wherever scores are computed.

    Attributes
    ----------
    width : int
        E, length of the vectors.
    fingerprint : str
        Equal for priors that give the same numbers.
    """

    width: int
    fingerprint: str

    def regions(self, vectors: Tensor) -> Tensor:
        """Vectors of regions: (..., D) as in `Regions`, of any floating-point type -> (..., E) float32."""
        ...

    def words(self, words: Sequence[str]) -> Tensor:
        """Vectors of words: T words -> (T, E) float32; zeros for a word that the prior says nothing about."""
        ...

    def nearness(self, words: Sequence[str]) -> np.ndarray:
        """How much it knows about each word: (T,) float32, from `NAMED` on for a word that it knows."""
        ...

    def reads(self, width: int) -> bool:
        """Whether it reads region vectors of this width."""
        ...


class Remembered:
    """Vectors of words, each computed once: zeros for function words.

    Parameters
    ----------
    width : int
        E.
    compute : callable
        N content words in lower case -> (N, E).
    """

    def __init__(self, width: int, compute: Callable[[Sequence[str]], Tensor]) -> None:
        self._width, self._compute = width, compute
        self._known: LRUCache[str, Tensor] = LRUCache(_WORDS)

    def __call__(self, words: Sequence[str]) -> Tensor:
        """T words -> (T, E) float32."""
        terms = [word.lower() for word in words]
        new = sorted({term for term in terms if term not in self._known and is_content(term)})
        found = dict(zip(new, self._compute(new), strict=True)) if new else {}
        self._known.update(found)
        nothing = torch.zeros(self._width)
        rows = [found.get(term, self._known.get(term, nothing)) for term in terms]
        return torch.stack(rows) if rows else torch.zeros(0, self._width)


def prior_table(prior: Prior, regions: Regions, words: Sequence[str]) -> np.ndarray:
    """How well each word names each region: (T, R) float32."""
    return (prior.words(words) @ prior.regions(torch.tensor(regions.vectors)).T).numpy()


RARE = 6.0
"""By how much the prior counts for more for a word that the captions do not have, as a share of its weight."""

CAP = 0.25
"""Largest number that the prior adds to a learned score where boxes are chosen; about the spread of learned scores."""


def saturated(table: np.ndarray) -> np.ndarray:
    """w_t * prior(i, t) up to `CAP`: CAP * tanh(w_t * prior / CAP), (T, R).

    A classifier that is sure of one part of a thing would otherwise shrink the box to it.
    """
    return CAP * np.tanh(table / CAP)


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """A prior beside learned scores: v_i . s_t + w_t * prior(i, t), w_t = weight * (1 + `RARE` * rareness of t).

    What the captions taught well is left to them.

    Attributes
    ----------
    prior : Prior
    weight : float
        Of a word that the captions have often.
    rareness : callable, optional
        T words -> (T,), from 0 for a frequent word of the captions to 1 for one that they do not have
        (`phrasebox.aligner.known_words.KnownWords.rareness`); without it all words are frequent.
    """

    prior: Prior
    weight: float
    rareness: Callable[[Sequence[str]], np.ndarray] | None = None

    def weights(self, words: Sequence[str]) -> np.ndarray:
        """w_t of each word: (T,)."""
        rare = np.zeros(len(words)) if self.rareness is None else self.rareness(words)
        return self.weight * (1 + RARE * rare)

    def beside_regions(self, learned: Tensor, vectors: Tensor) -> Tensor:
        """v_i (..., h) and region vectors (..., D) -> (..., h + E)."""
        return torch.cat([learned, self.prior.regions(vectors).to(learned)], dim=-1)

    def beside_words(self, learned: Tensor, words: Sequence[str]) -> Tensor:
        """s_t (T, h) and the words themselves -> (T, h + E)."""
        weights = torch.from_numpy(self.weights(words)).to(learned)
        return torch.cat([learned, weights[:, None] * self.prior.words(words).to(learned)], dim=-1)

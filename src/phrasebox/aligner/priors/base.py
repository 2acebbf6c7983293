"""What a network knows about regions and words before it sees a caption of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from phrasebox.types import Regions


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


def prior_table(prior: Prior, regions: Regions, words: Sequence[str]) -> np.ndarray:
    """How well each word names each region: (T, R) float32."""
    return (prior.words(words) @ prior.regions(torch.tensor(regions.vectors)).T).numpy()


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """A prior with its weight beside learned scores: v_i . s_t + weight * prior(i, t)."""

    prior: Prior
    weight: float

    def beside_regions(self, learned: Tensor, vectors: Tensor) -> Tensor:
        """v_i (..., h) and region vectors (..., D) -> (..., h + E)."""
        return torch.cat([learned, self.prior.regions(vectors).to(learned)], dim=-1)

    def beside_words(self, learned: Tensor, words: Sequence[str]) -> Tensor:
        """s_t (T, h) and the words themselves -> (T, h + E)."""
        return torch.cat([learned, self.weight * self.prior.words(words).to(learned)], dim=-1)

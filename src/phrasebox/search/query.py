"""What is looked for, as vectors, and the score that everything found is ranked by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phrasebox.aligner import Aligner
from phrasebox.aligner.querybank import SHARE
from phrasebox.search.collection import Collection


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """Vectors of words, of one phrase, or of a picture's regions.

    Attributes
    ----------
    vectors : (T, h) float32
        s_t.
    factor : float
        On the sum over t: 1 / T for a model whose score is the mean over words, else 1.
    share : float
        Of an image's score with strangers that is taken off, 0 without a bank.
    """

    vectors: np.ndarray
    factor: float
    share: float


def share_of(aligner: Aligner) -> float:
    """The share of strangers' scores that is taken off in ranking."""
    return SHARE if aligner.bank else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Exact scores of some images, in the order asked for.

    Attributes
    ----------
    score : (C,) float32
        What is ranked by: ``plain`` less the image's share of strangers' score.
    plain : (C,) float32
        S_kl.
    best : (C, T) float32
        max_i v_i . s_t.
    where : (C, T) int64
        The region that takes it.
    """

    score: np.ndarray
    plain: np.ndarray
    best: np.ndarray
    where: np.ndarray


def score(images: Collection, rows: np.ndarray, query: Query) -> Scored:
    """S_kl = sum over t of max over i of v_i . s_t, of some images with a query (PAPER: section 4).

    Parameters
    ----------
    rows : (C,) int64
        Of the collection.
    """
    best = np.empty((len(rows), len(query.vectors)), np.float32)
    where = np.empty((len(rows), len(query.vectors)), np.int64)
    prior = np.empty(len(rows), np.float32)
    for at, shard, inside in images.located(rows):
        vectors, counts = shard.vectors(inside), shard.counts[inside]
        starts = np.cumsum(counts) - counts
        table = vectors @ query.vectors.T  # (n, T)
        top = np.maximum.reduceat(table, starts)
        best[at], prior[at] = top, shard.prior[inside]
        # The first region that reaches the maximum: places of those below it are moved out of the way.
        place = np.arange(len(table))[:, None] - np.repeat(starts, counts)[:, None]
        reaches = table == np.repeat(top, counts, axis=0)
        where[at] = np.minimum.reduceat(np.where(reaches, place, len(table)), starts)
    plain = best.sum(1) * np.float32(query.factor)
    return Scored(plain - np.float32(query.share) * prior, plain, best, where)

"""How early the right ones come: ranks of sentences for images and of images for sentences, from scores alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phrasebox.errors import DataError
from phrasebox.io.arguments import an_array

# Rows compared at once by `ranks_both_ways`: its temporaries are (256, L), whatever the number of images.
BLOCK = 256


@dataclass(frozen=True, slots=True)
class RankSummary:
    """Recall@K in percent and the median rank (1-based) of ``count`` queries.

    Examples
    --------
    Of four queries one is answered first, three among the first five, all among the first ten:

    >>> RankSummary.of(np.array([1, 2, 4, 9]))
    RankSummary(count=4, recall_1=25.0, recall_5=75.0, recall_10=100.0, median=3.0)
    """

    count: int
    recall_1: float
    recall_5: float
    recall_10: float
    median: float

    @classmethod
    def of(cls, ranks: np.ndarray) -> RankSummary:
        """Summarise 1-based ``ranks`` of shape (N,), N >= 1."""
        recall_1, recall_5, recall_10 = (100 * float(np.mean(ranks <= k)) for k in (1, 5, 10))
        return cls(len(ranks), recall_1, recall_5, recall_10, float(np.median(ranks)))


class RankCounter:
    """Counts ranks from blocks of rows, for score matrices that do not fit into memory.

    A sentence's rank can be counted in one pass only if the score with its own image is known from the start, so
    these L scores are given first; they are few beside the matrix. They must come from the same arithmetic as the
    blocks if exact ties between images are to be seen as ties.

    Parameters
    ----------
    owner : (L,) int
        Row of the image that each sentence belongs to.
    own : (L,) float
        S_kl of each sentence with that image.

    Raises
    ------
    DataError
        If there is no sentence, shapes disagree, an owner is negative or not an integer, or a score is NaN.

    Examples
    --------
    >>> counter = RankCounter(np.array([0, 1]), own=np.array([0.9, 0.2]))
    >>> counter.add(np.array([[0.9, 0.3]]))
    >>> counter.add(np.array([[0.4, 0.2]]))
    >>> counter.summaries()[1].recall_1
    50.0
    """

    def __init__(self, owner: np.ndarray, own: np.ndarray) -> None:
        owner, own = _checked_owner(owner), np.asarray(own)
        if own.shape != owner.shape:
            raise DataError(f"own has shape {own.shape}; it needs one score for each of the {len(owner)} sentences")
        nan = np.flatnonzero(np.isnan(own))
        if len(nan):
            raise DataError(f"the score of sentence {nan[0]} with its own image is NaN; check the vectors of both")
        self._owner, self._own = owner, own
        self._image_ranks: list[np.ndarray] = []
        self._sentence_ranks = np.ones(len(owner), dtype=np.int64)
        self._seen = 0

    def add(self, rows: np.ndarray) -> None:
        """Count the next B images.

        Parameters
        ----------
        rows : (B, L) float
            S_kl of these images, in the order that ``owner`` counts them, with all sentences (PAPER: section 4).

        Raises
        ------
        DataError
            If the shape is wrong, a score is NaN, or the rows contradict ``own``.
        """
        rows = np.asarray(rows)
        if rows.ndim != 2 or rows.shape[1] != len(self._owner):
            raise DataError(
                f"scores have shape {rows.shape}; they need a column for each of {len(self._owner)} sentences"
            )
        images = np.arange(self._seen, self._seen + len(rows))
        nan = np.isnan(rows).any(axis=1)
        if nan.any():
            raise DataError(f"scores of image row {images[nan][0]} hold NaN; check the vectors of that image")
        mine = self._owner == images[:, None]  # (B, L)
        # Two kernels may round differently; a thousandth tells that apart from rows in the wrong order.
        if not np.allclose(rows[mine], self._own[np.nonzero(mine)[1]], rtol=1e-3, atol=1e-3):
            raise DataError("scores disagree with own; add the images in the order that owner counts them")
        best = np.where(mine, rows, -np.inf).max(axis=1, keepdims=True)  # (B, 1)
        image_ranks = 1 + ((rows >= best) & ~mine).sum(axis=1)  # (B,)
        self._image_ranks.append(image_ranks[mine.any(axis=1)])
        self._sentence_ranks += ((rows >= self._own) & ~mine).sum(axis=0)
        self._seen += len(rows)

    def summaries(self) -> tuple[RankSummary, RankSummary]:
        """Ranks of the sentences for the images that have any, and of the images for all sentences.

        Raises
        ------
        DataError
            If the image of a sentence was not added.
        """
        if self._owner.max() >= self._seen:
            raise DataError(f"only {self._seen} images were scored, but a sentence belongs to row {self._owner.max()}")
        return RankSummary.of(np.concatenate(self._image_ranks)), RankSummary.of(self._sentence_ranks)


def ranks_both_ways(scores: np.ndarray, owner: np.ndarray) -> tuple[RankSummary, RankSummary]:
    """Rank all sentences for every image and all images for every sentence.

    image->sentence is the rank of the best of the image's own sentences: 1 + the number of *other images'* sentences
    that score at least as high. The image's remaining sentences do not compete with its best one.
    sentence->image is 1 + the number of *other* images that score at least as high as the sentence's own.
    So ties count against the model. An image without sentences asks nothing, but competes for every sentence.

    Parameters
    ----------
    scores : (K, L) float
        S_kl of every image k with every sentence l (PAPER: section 4); larger is better.
    owner : (L,) int
        Row of the image that each sentence belongs to.

    Returns
    -------
    image_to_sentence, sentence_to_image : RankSummary

    Raises
    ------
    DataError
        If shapes disagree, an owner is not a row of ``scores``, or a score is NaN.

    Examples
    --------
    Sentences 0 and 1 belong to image 0, sentence 2 to image 1. Image 0 finds its sentence 0 first; image 1 finds
    sentence 1 before its own. Sentence 1 finds image 1 first, sentence 2 is tied between the images.

    >>> forth, back = ranks_both_ways(np.array([[0.9, 0.1, 0.5], [0.2, 0.8, 0.5]]), np.array([0, 0, 1]))
    >>> forth
    RankSummary(count=2, recall_1=50.0, recall_5=100.0, recall_10=100.0, median=1.5)
    >>> back.median, round(back.recall_1, 1)
    (2.0, 33.3)
    """
    scores, owner = an_array(scores, "scores", "(K, L)"), _checked_owner(owner)
    if scores.ndim != 2 or owner.shape != scores.shape[1:]:
        raise DataError(f"scores of shape {scores.shape} and owner of shape {owner.shape} need to be (K, L) and (L,)")
    if owner.max() >= len(scores):
        raise DataError(f"owner names image row {owner.max()}, but scores have {len(scores)} rows")
    counter = RankCounter(owner, own=scores[owner, np.arange(len(owner))])
    for start in range(0, len(scores), BLOCK):
        counter.add(scores[start : start + BLOCK])
    return counter.summaries()


def _checked_owner(owner: np.ndarray) -> np.ndarray:
    """Return the rows of the sentences' images, or say what is wrong with them."""
    owner = an_array(owner, "owner", "(L,)")
    if owner.ndim != 1 or not len(owner) or not np.issubdtype(owner.dtype, np.integer) or owner.min() < 0:
        raise DataError("owner must give every sentence the row of its image: a non-empty array of integers >= 0")
    return owner

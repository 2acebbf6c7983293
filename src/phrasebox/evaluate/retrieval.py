"""Retrieval both ways as a table: how early an image's sentences, and a sentence's image, come among all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phrasebox.evaluate.recall import RankSummary, ranks_both_ways
from phrasebox.evaluate.tables import ResultRow, ResultTable


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """Ranks of both directions.

    Attributes
    ----------
    image_to_sentence : RankSummary
        Queries are the images that have sentences.
    sentence_to_image : RankSummary
        Queries are all sentences.
    """

    image_to_sentence: RankSummary
    sentence_to_image: RankSummary

    def table(self, split: str, seed: int) -> ResultTable:
        """Return the numbers as a table; ``split`` and ``seed`` are what they were measured on and with."""
        directions = {"image->sentence": self.image_to_sentence, "sentence->image": self.sentence_to_image}
        rows = [
            ResultRow((name,), (ranks.count,), (ranks.recall_1, ranks.recall_5, ranks.recall_10, ranks.median))
            for name, ranks in directions.items()
        ]
        columns = ("R@1", "R@5", "R@10", "median rank")
        return ResultTable("retrieval", split, (seed,), ("direction",), ("queries",), columns, tuple(rows))


def retrieval(scores: np.ndarray, owner: np.ndarray, for_images: np.ndarray | None = None) -> RetrievalReport:
    """Rank all sentences for every image and all images for every sentence, as `ranks_both_ways` does.

    Parameters
    ----------
    scores : (K, L) float
        S_kl of every image k with every sentence l (PAPER: section 4); larger is better.
    owner : (L,) int
        Row of the image that each sentence belongs to.
    for_images : (K, L) float, optional
        Scores by which sentences are ranked for an image, where those are others than ``scores``.

    Raises
    ------
    DataError
        If shapes disagree, an owner is not a row of ``scores``, or a score is NaN.
    """
    forth, back = ranks_both_ways(scores, owner)
    return RetrievalReport(forth if for_images is None else ranks_both_ways(for_images, owner)[0], back)

"""A caption grounded in an image: what the aligner's `ground` returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phrasebox.io import detections, notebook
from phrasebox.types import Phrase, Regions, Word


@dataclass(frozen=True, slots=True, eq=False)
class Grounding(detections.Detected):
    """A caption grounded in an image.

    Attributes
    ----------
    scores : (T, R) float32
        v_i . s_t for every word t and region i: what was learned from captions.
    assignment : (T,) int
        The region of every word: that of its phrase (the shortest if several hold it), whose box is drawn; of a word of
        no phrase a_t, decoded at ``beta``.
    score : float
        S_kl of the pair, from ``total``; to rank pairs, `phrasebox.Aligner.score` adds the prior without its bound.
    norms : (R,) float32 or None
        Relative vector norms: the norm of each region's vector before normalisation, divided by their mean over the
        image. None for a model that does not normalise.
    prior : (T, R) float32 or None
        What the prior adds to ``scores``, with its weight; None without one.
    """

    caption: str
    words: tuple[Word, ...]
    regions: Regions
    scores: np.ndarray
    assignment: np.ndarray
    phrases: tuple[Phrase, ...]
    score: float
    beta: float
    key: str = field(default="")
    norms: np.ndarray | None = None
    prior: np.ndarray | None = None

    @property
    def total(self) -> np.ndarray:
        """The table (T, R) that regions and boxes were chosen from: ``scores`` with the ``prior`` added."""
        return self.scores if self.prior is None else self.scores + self.prior

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``, without words, regions and score matrix."""
        return {
            "caption": self.caption,
            "score": self.score,
            "beta": self.beta,
            "width": self.regions.width,
            "height": self.regions.height,
            "phrases": [phrase.to_json() for phrase in self.phrases],
        }

    def _detections(self) -> Iterator[detections.Detection]:
        for phrase in self.phrases:
            more = {"score": phrase.score, "start": phrase.span[0], "end": phrase.span[1]}
            more |= {"whole_image": phrase.whole_image, "unknown": phrase.unknown}
            for x1, y1, x2, y2 in phrase.boxes:
                yield detections.Detection(phrase.text, (x1, y1, x2, y2), phrase.confidence, more)

    def _frame(self) -> tuple[str, int, int]:
        return self.caption, self.regions.width, self.regions.height

    def __repr__(self) -> str:
        return f"Grounding({self.caption!r}, {len(self.phrases)} phrases, score {self.score:.3f})"

    def _repr_html_(self) -> str:
        boxes = ((i, tuple(box)) for i, phrase in enumerate(self.phrases) for box in phrase.boxes)
        told = ((phrase.text, _remark(phrase)) for phrase in self.phrases)
        drawn = notebook.picture(self.key, self.regions.width, self.regions.height, boxes)
        return notebook.block(self.caption, drawn, notebook.legend(told))


def _remark(phrase: Phrase) -> str:
    return f"{phrase.confidence:.0%}" + (", whole image" if phrase.whole_image else "")

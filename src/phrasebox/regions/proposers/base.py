"""The protocol of box proposers: pixels in, ranked boxes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from phrasebox.errors import DataError

AN_IMAGE = "(H, W, 3) int"
"""What proposers take."""


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """Proposed boxes of one image, without the whole image, which `phrasebox.regions.extractor` adds.

    Attributes
    ----------
    boxes : (N, 4) float32
        ``xyxy`` pixels of the image; N may be 0.
    scores : (N,) float32
        The proposer's own ranking, larger is better.
    quality : (N,) float32 or None
        IoU from 0 to 1 that each box is expected to have with a thing, if the proposer knows.

    Raises
    ------
    DataError
        If the shapes disagree.
    """

    boxes: np.ndarray
    scores: np.ndarray
    quality: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4 or self.scores.shape != (len(self.boxes),):
            raise DataError(f"proposals need (N, 4) boxes and (N,) scores, got {self.boxes.shape}, {self.scores.shape}")

    def at(self, rows: np.ndarray) -> Proposals:
        """These rows of all boxes, in this order."""
        return Proposals(self.boxes[rows], self.scores[rows], None if self.quality is None else self.quality[rows])


class Proposer(Protocol):
    """Proposes boxes. Called from several threads at once, so it must keep no state between images."""

    @property
    def name(self) -> str:
        """The proposer with its settings, such as ``grid-48``: part of what a workspace records."""
        ...

    def propose(self, image: np.ndarray) -> Proposals:
        """Boxes of an ``(H, W, 3)`` uint8 RGB image."""
        ...


def by_area(boxes: np.ndarray, width: int, height: int) -> Proposals:
    """Rank boxes by the share of the image they cover, the largest first.

    Ties keep the order of the corners, so that equal inputs give equal bytes.

    Examples
    --------
    >>> by_area(np.array([[0, 0, 2, 2], [0, 0, 4, 2]]), width=4, height=4).scores
    array([0.5 , 0.25], dtype=float32)
    """
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
    scores = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (width * height)).astype(np.float32)
    order = np.lexsort((*boxes.T[::-1], -scores))
    return Proposals(boxes[order], scores[order])

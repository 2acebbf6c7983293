"""Geometry of boxes: intersection over union, suppression of near-equal boxes, and which box is the whole image."""

from __future__ import annotations

from typing import Literal

import numpy as np

from phrasebox.io.arguments import checked
from phrasebox.types import Box

WHOLE_IMAGE_SHARE = 0.9
"""Least share of the image covered by a box that counts as the whole image."""


def intersection(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Area (R,) that one ``xyxy`` box (4,) shares with each of many (R, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.prod(np.clip(sides, 0, None), axis=1)


def area(boxes: np.ndarray) -> np.ndarray:
    """Area (R,) of ``xyxy`` boxes (R, 4)."""
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


@checked(box="(4,)", boxes="(R, 4)")
def iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union (R,) of one ``xyxy`` box (4,) with each of many (R, 4).

    Examples
    --------
    >>> iou(np.array([0, 0, 2, 2]), np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])).round(3)
    array([1.   , 0.333, 0.   ])
    """
    return _iou(box, boxes)


def _iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """`iou` for loops over boxes, whose arguments are not checked."""
    shared = intersection(box, boxes)
    return shared / (np.prod(box[2:] - box[:2]) + area(boxes) - shared)


def suppress(
    boxes: np.ndarray, scores: np.ndarray, most: float, *, share_of: Literal["union", "smaller"] = "union"
) -> list[int]:
    """Greedy non-maximum suppression: rows from best to worst, without boxes that overlap a better one.

    Parameters
    ----------
    boxes : (R, 4)
        ``xyxy``.
    scores : (R,)
        Larger is better; equal ones keep their order.
    most : float
        Largest overlap that two kept boxes may have.
    share_of : {"union", "smaller"}
        Overlap is the shared area over that of the union (IoU), or over that of the smaller box.

    Examples
    --------
    >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 3], [5, 5, 6, 6]])
    >>> suppress(boxes, np.array([0.5, 0.9, 0.1]), most=0.5)
    [1, 2]
    """
    areas = area(boxes)
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        shared = intersection(boxes[i], boxes[kept])
        whole = np.minimum(areas[kept], areas[i]) if share_of == "smaller" else areas[kept] + areas[i] - shared
        if not (shared > most * whole).any():
            kept.append(i)
    return kept


def best_apart(boxes: np.ndarray, scores: np.ndarray, most: float, count: int) -> np.ndarray:
    """Rows of at most ``count`` boxes that greedy non-maximum suppression keeps, from the best to the worst.

    Equal to ``torchvision.ops.nms(boxes, scores, most)[:count]`` in float32; it stops at ``count`` boxes, and
    needs no torchvision, whose import takes seconds.

    Parameters
    ----------
    boxes : (R, 4) float32
        ``xyxy``.
    scores : (R,)
        Larger is better; equal ones keep their order.
    most : float
        Largest IoU that two kept boxes may have.

    Returns
    -------
    (at most count,) int64

    Examples
    --------
    >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 3], [5, 5, 6, 6]], np.float32)
    >>> best_apart(boxes, np.array([0.5, 0.9, 0.1]), most=0.5, count=5)
    array([1, 2])
    """
    left = np.argsort(-scores, kind="stable")
    areas = area(boxes)
    kept: list[int] = []
    while len(left) and len(kept) < count:
        best, left = left[0], left[1:]
        kept.append(int(best))
        shared = intersection(boxes[best], boxes[left])
        with np.errstate(invalid="ignore"):  # two empty boxes: 0 / 0 suppresses nothing
            left = left[~(shared / (areas[best] + areas[left] - shared) > most)]
    return np.array(kept, np.int64)


def soft_suppress(boxes: np.ndarray, scores: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Soft non-maximum suppression (Bodla et al., 2017): all boxes are kept; those that overlap better ones rank lower.

    From the best box on, each chosen box multiplies the scores of all others by exp(-IoU^2 / ``sigma``).

    Parameters
    ----------
    boxes : (R, 4)
        ``xyxy``.
    scores : (R,)
        At least 0; equal ones keep their order.

    Returns
    -------
    order : (R,) int64
        Rows from the first chosen to the last.
    scores : (R,)
        The score of each when it was chosen, in this order.

    Examples
    --------
    >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 3], [5, 5, 6, 6]])
    >>> order, scores = soft_suppress(boxes, np.array([0.9, 0.8, 0.5]), sigma=0.5)
    >>> order.tolist(), scores.round(2).tolist()
    ([0, 2, 1], [0.9, 0.5, 0.26])
    """
    left, scores = np.arange(len(boxes)), np.array(scores, dtype=np.float64)
    order: list[int] = []
    chosen: list[float] = []
    while len(left):
        at = int(scores[left].argmax())
        best, left = int(left[at]), np.delete(left, at)
        order.append(best)
        chosen.append(float(scores[best]))
        scores[left] *= np.exp(-(_iou(boxes[best], boxes[left]) ** 2) / sigma)
    return np.array(order, np.int64), np.array(chosen)


def covers_image(box: Box, width: int, height: int) -> bool:
    """Whether a box covers at least `WHOLE_IMAGE_SHARE` of the image."""
    return box.area >= WHOLE_IMAGE_SHARE * width * height

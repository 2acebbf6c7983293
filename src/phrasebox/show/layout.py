"""Layout of boxes and labels without overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Rect = tuple[float, float, float, float]


def nested(rects: Sequence[Rect], step: float) -> list[Rect]:
    """Move rectangles that (nearly) equal an earlier one inwards, so that every outline is visible.

    Parameters
    ----------
    rects : sequence of (x1, y1, x2, y2)
        Pixels.
    step : float
        Distance between two outlines, in pixels; a rectangle never shrinks below a third of its side.

    Examples
    --------
    >>> nested([(0, 0, 90, 90), (0, 0, 90, 90), (50, 50, 80, 80)], step=4)
    [(0, 0, 90, 90), (4, 4, 86, 86), (50, 50, 80, 80)]
    """
    placed = []
    for i, (x1, y1, x2, y2) in enumerate(rects):
        depth = sum(all(abs(a - b) < step for a, b in zip(rects[i], earlier, strict=True)) for earlier in rects[:i])
        dx, dy = min(depth * step, (x2 - x1) / 3), min(depth * step, (y2 - y1) / 3)
        placed.append((x1 + dx, y1 + dy, x2 - dx, y2 - dy))
    return placed


def place_labels(
    sizes: Sequence[tuple[float, float]], boxes: Sequence[Rect], width: float, height: float, gap: float
) -> list[Rect | None]:
    """Place the label of each box: on its upper edge if that is free, otherwise at the nearest free place.

    Parameters
    ----------
    sizes : sequence of (width, height)
        One label per box, in pixels.
    boxes : sequence of (x1, y1, x2, y2)
        Pixels of the picture.
    width, height : float
        Size of the picture in pixels; labels stay inside.
    gap : float
        Least distance between two labels and from label to border, pixels.

    Returns
    -------
    list of (x1, y1, x2, y2) or None
        In the order given; None for a label that fits nowhere.

    Examples
    --------
    >>> place_labels([(30, 10), (30, 10)], [(20, 40, 80, 90), (20, 40, 80, 90)], 100, 100, gap=2)
    [(20.0, 30.0, 50.0, 40.0), (52.0, 30.0, 82.0, 40.0)]
    """
    taken: list[Rect] = []
    labels: list[Rect | None] = [None] * len(sizes)
    # Small boxes first: a large box has more places where its label is clearly its own.
    for i in sorted(range(len(boxes)), key=lambda i: (boxes[i][2] - boxes[i][0]) * (boxes[i][3] - boxes[i][1])):
        labels[i] = _nearest_free(sizes[i], boxes[i], taken, width, height, gap)
        if (label := labels[i]) is not None:
            taken.append(label)
    return labels


def _nearest_free(
    size: tuple[float, float], box: Rect, taken: Sequence[Rect], width: float, height: float, gap: float
) -> Rect | None:
    (w, h), (x1, y1, _, y2) = size, box
    right, bottom = width - gap - w, height - gap - h
    if right < gap or bottom < gap:
        return None
    left = min(max(x1, gap), right)
    on_top = [(left, y1 - h), (left, y1), (left, y2 - h), (left, y2)]
    beside = [(x, y) for _, y in on_top for t in taken for x in (t[2] + gap, t[0] - gap - w)]
    grid = [(x, y) for y in np.arange(gap, bottom, h / 2) for x in np.arange(gap, right, h / 2)]
    corners = np.array(on_top + beside + grid)
    inside = (corners >= gap).all(1) & (corners[:, 0] <= right) & (corners[:, 1] <= bottom)
    corners = corners[inside]
    free = np.ones(len(corners), bool)
    for a1, b1, a2, b2 in taken:
        free &= (
            (corners[:, 0] >= a2 + gap)
            | (corners[:, 0] + w + gap <= a1)
            | (corners[:, 1] >= b2 + gap)
            | (corners[:, 1] + h + gap <= b1)
        )
    if not free.any():
        return None
    corners = corners[free]
    # Sideways is cheaper than down: a label further along the edge still lies on its box.
    x, y = corners[np.argmin(np.hypot((corners[:, 0] - left) / 6, corners[:, 1] - (y1 - h)))].tolist()
    return (x, y, x + w, y + h)

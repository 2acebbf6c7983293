"""Rough masks: the superpixels of a phrase's box that hold its heat."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from phrasebox.grounding.heatmap import GRID
from phrasebox.types import Box

LEAST = 0.5
"""Least mean heat of a superpixel that belongs to a mask, as a share of the hottest one's of the box."""


def masks(superpixels: np.ndarray, heat: np.ndarray, boxes: Sequence[Box], size: tuple[int, int]) -> list[np.ndarray]:
    """One mask (H, W) bool a box: its part of the superpixels that lie mostly in it and are hot.

    A superpixel is hot if its mean heat inside the box is at least `LEAST` of that of the hottest one. A box in which
    no superpixel lies mostly has the hottest of those that it cuts.

    Parameters
    ----------
    superpixels : (S, S) int
        Number of every pixel's superpixel, in a copy of the image.
    heat : (GRID * GRID,)
        Of the phrase (`phrasebox.grounding.heatmap.HeatMap.heat`).
    size : (int, int)
        Width and height of the image that boxes refer to.

    Examples
    --------
    >>> halves = np.repeat([[0, 0, 1, 1]], 4, axis=0)
    >>> heat = np.repeat([np.linspace(1, 0, GRID)], GRID, axis=0).ravel()
    >>> masks(halves, heat, [Box(0, 0, 8, 4)], (8, 4))[0].astype(int)[0].tolist()
    [1, 1, 1, 1, 0, 0, 0, 0]
    """
    width, height = size
    side = len(superpixels)
    rows = np.minimum((np.arange(height) + 0.5) * side / height, side - 1).astype(np.int64)
    columns = np.minimum((np.arange(width) + 0.5) * side / width, side - 1).astype(np.int64)
    full = superpixels[np.ix_(rows, columns)]  # (H, W)
    cells = np.ix_(
        np.minimum((np.arange(height) + 0.5) * GRID / height, GRID - 1).astype(np.int64),
        np.minimum((np.arange(width) + 0.5) * GRID / width, GRID - 1).astype(np.int64),
    )
    warm = heat.reshape(GRID, GRID)[cells]  # (H, W)
    sizes = np.bincount(full.ravel())
    found = []
    for box in boxes:
        inside = _inside(box, width, height)
        parts = full[inside].ravel()
        count = np.bincount(parts, minlength=len(sizes))
        mean = np.bincount(parts, weights=warm[inside].ravel(), minlength=len(sizes)) / np.maximum(count, 1)
        mostly = 2 * count >= np.maximum(sizes, 1)
        belongs = mostly if mostly.any() else count > 0
        hot = belongs & (mean >= LEAST * mean[belongs].max())
        mask = np.zeros((height, width), bool)
        mask[inside] = hot[full[inside]]
        found.append(mask)
    return found


def _inside(box: Box, width: int, height: int) -> tuple[slice, slice]:
    """Rows and columns of the pixels of a box, at least one each."""
    x1, y1 = min(max(round(box.x1), 0), width - 1), min(max(round(box.y1), 0), height - 1)
    x2, y2 = min(max(round(box.x2), x1 + 1), width), min(max(round(box.y2), y1 + 1), height)
    return slice(y1, y2), slice(x1, x2)


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """COCO's run-length encoding of a mask (H, W), not compressed: lengths of runs down the columns, zeros first.

    Examples
    --------
    >>> run_lengths(np.array([[0, 1], [1, 1]], bool))
    {'size': [2, 2], 'counts': [1, 3]}
    """
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    ends = [0, *changes.tolist(), len(flat)]
    counts = [end - start for start, end in pairwise(ends)]
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}

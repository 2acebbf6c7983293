"""Runs of equal a_t: the text segments of a decoded sentence (PAPER: section 6)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np


def segments(assignment: np.ndarray) -> list[tuple[int, int, int]]:
    """Maximal runs ``(first word, last word + 1, region)`` of an assignment (T,).

    Examples
    --------
    >>> segments(np.array([4, 4, 0, 4]))
    [(0, 2, 4), (2, 3, 0), (3, 4, 4)]
    """
    if not len(assignment):
        return []
    cuts = [0, *(np.flatnonzero(np.diff(assignment)) + 1).tolist(), len(assignment)]
    return [(a, b, int(assignment[a])) for a, b in pairwise(cuts)]

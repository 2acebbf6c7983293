"""int8 quantisation in two planes: the high plane alone is scanned four times as fast, with a bound on its error.

A set of vectors has one step d = max |v| / 127. The high plane is a = round(v / d), the low plane
r = round(254 (v / d - a)), and v = d (a + r / 254): 16 bits a number, more exact than half precision. The error of a
product with the high plane alone is bounded by the norm of the remainder (Cauchy-Schwarz).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

_FINE = 254.0
_LEAST = 1e-30  # step for vectors that are all zero


class Planes(NamedTuple):
    """A set of vectors (n, h) in two planes.

    Attributes
    ----------
    high, low : (n, h) int8
    step : float
        d of the set.
    error : float
        Largest ||v - d a|| of the set.
    norm : float
        Largest ||d a|| of the set.
    """

    high: np.ndarray
    low: np.ndarray
    step: float
    error: float
    norm: float


def to_planes(vectors: np.ndarray) -> Planes:
    """Quantise a set of finite vectors (n, h) float32.

    Examples
    --------
    >>> planes = to_planes(np.array([[12.7, -0.04]], np.float32))
    >>> planes.high.tolist(), planes.low.tolist(), round(planes.step, 3)
    ([[127, 0]], [[0, -102]], 0.1)
    """
    step = np.maximum(np.abs(vectors).max() / np.float32(127), np.float32(_LEAST))
    scaled = vectors / step
    high = np.rint(scaled)
    low = np.rint((scaled - high) * np.float32(_FINE))
    error, norm = (float(np.linalg.norm(part, axis=1).max() * step) for part in (low / np.float32(_FINE), high))
    return Planes(high.astype(np.int8), low.astype(np.int8), float(step), error, norm)


def from_planes(high: np.ndarray, low: np.ndarray, step: np.ndarray | float) -> np.ndarray:
    """Restore vectors (n, h) float32 from their planes and the step of each (n,) or of all."""
    found = low.astype(np.float32)
    found *= np.float32(1 / _FINE)
    found += high
    found *= np.asarray(step, np.float32)[..., None]
    return found


@lru_cache(maxsize=1)
def int8_is_exact() -> bool:
    """Whether int8 matrix products are exact here; some processors saturate intermediate sums."""
    rows = torch.full((3, 130), 127, dtype=torch.int8)
    rows[1], rows[2, ::2] = -127, -127
    columns = rows.repeat(7, 1)
    try:
        found = byte_products(rows, columns)
    except (RuntimeError, NotImplementedError):
        return False
    return bool((found.long() == rows.long() @ columns.long().T).all())


def byte_products(words: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Products (T, n) int32 of (T, h) and (n, h) int8."""
    return torch._int_mm(words, codes.T)  # pyright: ignore[reportPrivateImportUsage]

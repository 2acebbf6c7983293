"""Whether a confidence is a probability: accuracy and mean confidence of parts, and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phrasebox.evaluate.grounding import PARTS


@dataclass(frozen=True, slots=True)
class Reliability:
    """Confidence against accuracy.

    Attributes
    ----------
    parts : tuple of (int, float, float)
        Number, mean confidence and accuracy, both in percent, of `PARTS` equal parts, the least confident first.
    error : float
        Expected calibration error in percent: the mean over the parts of | confidence - accuracy |, weighted by number.
    gap : float
        Accuracy of the most confident part less that of the least confident one, in percent.
    """

    parts: tuple[tuple[int, float, float], ...]
    error: float
    gap: float


def reliability(confidence: np.ndarray, right: np.ndarray) -> Reliability:
    """Compare confidences (N,) with what was right (N,) bool; equal confidences keep their order.

    Examples
    --------
    >>> found = reliability(np.array([0.1, 0.3, 0.5, 0.7, 0.9]), np.array([0, 0, 1, 1, 1], bool))
    >>> found.parts[0], round(found.error, 1), found.gap
    ((1, 10.0, 0.0), 26.0, 100.0)
    """
    parts = tuple(
        (len(part), 100 * float(confidence[part].mean()), 100 * float(right[part].mean()))
        for part in np.array_split(np.argsort(confidence, kind="stable"), PARTS)
    )
    error = sum(count * abs(sure - accuracy) for count, sure, accuracy in parts) / len(confidence)
    return Reliability(parts, error, parts[-1][2] - parts[0][2])

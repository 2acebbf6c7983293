"""Confidence of a phrase's box: how much of the regions' weight agrees on it.

Both kinds of models use one definition and differ in what a region weighs:

* A model of dot products takes a phrase's box from the decoded chain (`phrasebox.grounding.phrases.clean_phrases`).
  A region weighs its posterior, softmax over regions of temperature * score (`posterior`).
* A model of cosines fuses the box from a heat map (`phrasebox.grounding.localise.localise`). A region weighs its
  merit ** `POWER`, as in the fusion. The result is multiplied by the phrase's largest cosine with any region, because
  regions can agree on a wrong box for a thing that the model does not know. On photographs like the training ones the
  product is about the share of such boxes that have an IoU of 0.5 with the annotated box.
"""

from __future__ import annotations

import numpy as np

POWER = 8  # of a region's merit, in the fusion of its box and in the confidence
AGREEMENT_IOU = 0.5  # least IoU with the box of a region that agrees with it


def confidence(weights: np.ndarray, overlap: np.ndarray, fit: float = 1.0) -> float:
    """Fraction of the total weight held by regions whose IoU with the box is at least `AGREEMENT_IOU`, times ``fit``.

    Near-equal boxes share a vote, so their weights are added up.

    Parameters
    ----------
    weights : (R,)
        At least 0; all zero gives confidence 0.
    overlap : (R,)
        IoU of each region with the phrase's box.
    fit : float
        How well the phrase fits any region; clipped to [0, 1].

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> confidence(np.array([2.0, 1.0, 1.0]), np.array([1.0, 0.6, 0.1]))
    0.75
    >>> confidence(np.array([2.0, 1.0, 1.0]), np.array([1.0, 0.6, 0.1]), fit=0.4)
    0.3...
    """
    total = weights.sum()
    if not total > 0:
        return 0.0
    share = weights[overlap >= AGREEMENT_IOU].sum() / total
    return float(min(1.0, share) * np.clip(fit, 0, 1))  # rounding can make the share exceed 1


def posterior(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax (R,) over regions of temperature * score, up to a constant factor."""
    return np.exp(temperature * (scores - scores.max()))

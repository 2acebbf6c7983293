"""Confidence of a phrase's box: how likely it has an IoU of 0.5 with what people would draw.

Where the regions have objectness, a logistic function of the `FEATURES` gives it, whose numbers are fitted on training
images (`Calibration`, `phrasebox.stages.calibrate`). Elsewhere it is how much of the regions' weight agrees on the box.
Both kinds of models use one definition and differ in what a region weighs:

* A model of dot products takes a phrase's box from the decoded chain (`phrasebox.grounding.phrases.clean_phrases`).
  A region weighs its posterior, softmax over regions of temperature * score (`posterior`).
* A model of cosines fuses the box from a heat map (`phrasebox.grounding.localise.localise`). A region weighs its
  merit ** `POWER`, as in the fusion. The result is multiplied by the phrase's largest cosine with any region, because
  regions can agree on a wrong box for a thing that the model does not know. On photographs like the training ones the
  product is about the share of such boxes that have an IoU of 0.5 with the annotated box.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from phrasebox.io.arguments import checked
from phrasebox.types import Regions

POWER = 8  # of a region's merit, in the fusion of its box and in the confidence
AGREEMENT_IOU = 0.5  # least IoU with the box of a region that agrees with it


@checked(weights="(R,)", overlap="(R,)", fit=float)
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


@checked(scores="(R,)", temperature=float)
def posterior(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax (R,) over regions of temperature * score, up to a constant factor."""
    return np.exp(temperature * (scores - scores.max()))


FEATURES = ("agreement", "merit", "objectness", "area", "learned", "margin", "prior", "rarity", "named")
"""What the confidence is computed from, see `features`."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confidence as a logistic function: 1 / (1 + exp(-(bias + weights . features))).

    Attributes
    ----------
    weights : tuple of float
        One for each of the `FEATURES`.
    bias : float

    Raises
    ------
    ValueError
        If the number of weights is another.
    """

    weights: tuple[float, ...]
    bias: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", tuple(map(float, self.weights)))
        if len(self.weights) != len(FEATURES) or not np.isfinite([*self.weights, self.bias]).all():
            raise ValueError(f"a calibration needs {len(FEATURES)} weights and a bias, all finite")

    def __call__(self, found: np.ndarray) -> float:
        """The confidence, in [0, 1], of a phrase with these features (F,)."""
        return float(1 / (1 + np.exp(-np.clip(found @ np.array(self.weights) + self.bias, -50, 50))))

    def to_json(self) -> dict[str, Any]:
        """Plain values for a model's config."""
        return {"weights": dict(zip(FEATURES, self.weights, strict=True)), "bias": self.bias}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Calibration:
        """The calibration of a model's config."""
        return cls(tuple(values["weights"][name] for name in FEATURES), float(values["bias"]))


DEFAULT = Calibration((0.5334, 1.0511, 3.1441, -0.053, 1.1403, -0.7386, 3.1626, -0.376, 0.5287), 0.8566)
"""Fitted by ``benchmarks/confidence.py`` to the built-in aligner; for models that do not have their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the confidence needs to know about the words of a sentence, beside their scores.

    Attributes
    ----------
    learned : (T, R)
        The scores without the prior.
    rarity : (T,)
        log(1 + rank) of each word among those of the training captions, from the most frequent one; the number of them
        for a word that is not among them.
    named : (T,)
        How near each word is to the nearest class name.
    calibration
        Features to confidence.
    """

    learned: np.ndarray
    rarity: np.ndarray
    named: np.ndarray
    calibration: Calibration


def features(
    merit: np.ndarray, overlap: np.ndarray, region: int, regions: Regions, content: list[int], scores: np.ndarray,
    evidence: Evidence,
) -> np.ndarray:  # fmt: skip
    """The `FEATURES` (F,) of a phrase.

    agreement as of `confidence`; logarithm of the largest merit; objectness of the phrase's region; logarithm of its
    area as a share of the image; means over the content words of: the learned score on the region, the same less the
    mean over all regions, the prior on the region, `Evidence.rarity`, `Evidence.named`.

    Parameters
    ----------
    merit, overlap : (R,)
        Merit of each region, and its IoU with the phrase's box.
    region : int
        The phrase's.
    content : list of int
        The phrase's content words.
    scores : (T, R)
        With the prior.
    """
    assert regions.objectness is not None
    x1, y1, x2, y2 = regions.boxes[region].tolist()
    learned = evidence.learned[content].mean(0)
    return np.array(
        [
            confidence(merit.astype(np.float64) ** POWER, overlap),
            np.log(max(float(merit.max()), 1e-6)),
            regions.objectness[region],
            np.log((x2 - x1) * (y2 - y1) / (regions.width * regions.height) + 1e-4),
            learned[region],
            learned[region] - learned.mean(),
            scores[content, region].mean() - learned[region],
            evidence.rarity[content].mean(),
            evidence.named[content].mean(),
        ],
        np.float64,
    )

"""Fitting the confidence of an aligner on training images with boxes: a few numbers, no word is learned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import cast

import numpy as np

from phrasebox.aligner import Aligner
from phrasebox.boxes import iou
from phrasebox.evaluate.grounding import IOU_THRESHOLD, truth_scale
from phrasebox.grounding.confidence import DEFAULT, Calibration
from phrasebox.stages.choose_beta import with_regions
from phrasebox.types import Example
from phrasebox.workspace.workspace import Workspace

_IMAGES = 300  # training images that `calibrate` reads
_LEAST = 500  # phrases without which nothing is fitted
_RIDGE, _STEPS = 0.01, 30


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Phrases that people drew boxes for.

    Attributes
    ----------
    features : (N, F) float64
        See `phrasebox.grounding.confidence.FEATURES`.
    confidence : (N,) float64
        The aligner's.
    right : (N,) bool
        The predicted box has an IoU of 0.5 with one of the true boxes.
    """

    features: np.ndarray
    confidence: np.ndarray
    right: np.ndarray


def judged(ws: Workspace, aligner: Aligner, examples: Iterable[Example]) -> Judged:
    """Localise the true phrases with boxes of these examples; those whose regions have no objectness are left out."""
    noted: list[np.ndarray] = []
    usual = aligner.calibration or DEFAULT

    def note(found: np.ndarray) -> float:
        noted.append(found)
        return usual(found)

    noting = replace(aligner, calibration=cast(Calibration, note))
    sure: list[float] = []
    right: list[bool] = []
    for example, regions in with_regions(ws, list(examples)):
        captions = [c for c in example.captions if any(p.boxes for p in c.phrases)]
        if not captions or regions.objectness is None:
            continue
        truths = [[p for p in c.phrases if p.boxes] for c in captions]
        spans = [[p.span for p in of] for of in truths]
        scale = truth_scale(regions, example.size)
        grounded = noting.ground_many([regions] * len(captions), [c.text for c in captions], spans=spans)
        for g, of in zip(grounded, truths, strict=True):
            for found, truth in zip(g.phrases, of, strict=True):
                drawn = np.array([tuple(box) for box in truth.boxes])
                sure.append(found.confidence)
                right.append(bool(iou(np.array(tuple(found.box)) * scale, drawn).max() >= IOU_THRESHOLD))
    return Judged(np.array(noted), np.array(sure), np.array(right, bool))


def calibrate(ws: Workspace, aligner: Aligner) -> Calibration | None:
    """Fit the confidence on training images with boxes; None where there are too few, or no objectness."""
    if not aligner.model.settings.normalise:
        return None
    regioned = ws.keys("regions")
    examples = (
        e for e in ws.truth("train") if e.key in regioned and any(p.boxes for c in e.captions for p in c.phrases)
    )
    found = judged(ws, aligner, islice(examples, _IMAGES))
    return fit(found.features, found.right) if len(found.right) >= _LEAST else None


def fit(features: np.ndarray, right: np.ndarray) -> Calibration:
    """A calibration by `logistic` regression."""
    weights, bias = logistic(features, right)
    return Calibration(tuple(weights.tolist()), bias)


def logistic(features: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights (F,) and bias of a logistic regression with a small ridge on standardised features (N, F).

    By Newton's method.
    """
    mean, spread = features.mean(0), features.std(0) + 1e-9
    x = np.c_[(features - mean) / spread, np.ones(len(features))]
    ridge = np.diag([*[_RIDGE] * features.shape[1], 0.0])
    w = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-x @ w))
        slope = x.T @ (p - right) / len(x) + ridge @ w
        curve = (x * (p * (1 - p))[:, None]).T @ x / len(x) + ridge
        w -= np.linalg.solve(curve + 1e-9 * np.eye(len(w)), slope)
    weights = w[:-1] / spread
    return weights, float(w[-1] - weights @ mean)

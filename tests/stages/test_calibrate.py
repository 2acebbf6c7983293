from __future__ import annotations

import numpy as np
import pytest

from phrasebox.evaluate.reliability import reliability
from phrasebox.grounding.confidence import FEATURES, Calibration
from phrasebox.stages.calibrate import fit


def made(count, seed=0):
    """Features of different scales, and what is right with the probability of a known logistic function."""
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 1, (count, len(FEATURES))) * np.linspace(0.1, 10, len(FEATURES))
    weights = np.linspace(-1, 1, len(FEATURES)) / np.linspace(0.1, 10, len(FEATURES))
    probability = 1 / (1 + np.exp(-(x - x.mean(0)) @ weights))
    return x, rng.random(count) < probability, probability


def test_a_fit_finds_the_probability_that_made_the_data():
    x, right, probability = made(20_000)
    fitted = fit(x, right)
    found = np.array([fitted(row) for row in x])
    assert np.abs(found - probability).mean() < 0.03
    told = reliability(found, right)
    assert told.error < 2.5
    assert told.gap > 40


def test_a_fit_is_where_the_penalised_likelihood_is_largest():
    x, right, _ = made(300, 1)
    fitted = fit(x, right)

    def loss(weights, bias):
        p = 1 / (1 + np.exp(-(x @ weights + bias)))
        penalty = 0.01 * ((weights * (x.std(0) + 1e-9)) ** 2).sum() / 2
        return -np.log(np.where(right, p, 1 - p)).mean() + penalty

    best, rng = loss(np.array(fitted.weights), fitted.bias), np.random.default_rng(2)
    for _ in range(50):
        moved = np.array(fitted.weights) + 0.01 * rng.normal(size=len(FEATURES)) / x.std(0)
        assert loss(moved, fitted.bias + 0.01 * rng.normal()) > best


def test_one_class_only_is_no_error():
    x, _, _ = made(100)
    assert fit(x, np.ones(100, bool))(x.mean(0)) > 0.9


@pytest.mark.parametrize("weights", [(1.0,), (float("nan"),) * len(FEATURES)])
def test_a_damaged_calibration_is_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        Calibration(weights, 0.0)


def test_a_calibration_is_kept_by_the_names_of_its_features():
    kept = Calibration(tuple(range(len(FEATURES))), 0.5)
    assert Calibration.from_json(kept.to_json()) == kept
    assert kept.to_json()["weights"]["merit"] == 1

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.grounding.confidence import AGREEMENT_IOU, confidence, posterior

seeds = st.integers(0, 10**6)


@given(
    seeds, st.integers(1, 40), st.sampled_from([0.0, 1.0, 40.0, 1000.0]), st.sampled_from([-0.1, 0.0, 0.3, 1.0, 9.0])
)
def test_equals_a_slow_loop_and_is_a_probability(seed, count, temperature, fit):
    rng = np.random.default_rng(seed)
    scores, overlap = rng.normal(size=count).astype(np.float32), rng.uniform(0, 1, count)
    overlap[rng.integers(count)] = AGREEMENT_IOU
    weights = [math.exp(temperature * (float(s) - float(scores.max()))) for s in scores]
    share = sum(w for w, o in zip(weights, overlap.tolist(), strict=True) if o >= AGREEMENT_IOU) / sum(weights)
    found = confidence(posterior(scores, temperature), overlap, fit)
    assert found == pytest.approx(share * min(max(fit, 0), 1), abs=1e-4)
    assert 0 <= found <= 1


def test_of_nearly_all_weight_stays_a_probability():
    # Summed in another order, a part of the weights can come out larger than all of them.
    rng = np.random.default_rng(0)
    overlap = np.ones(60)
    overlap[::7] = 0
    for _ in range(300):
        scores = rng.uniform(-1e-3, 0, 60).astype(np.float32)
        scores[::7] = -30
        assert 0.99 < confidence(posterior(scores, 1.0), overlap) <= 1


def test_without_any_weight_is_zero():
    assert confidence(np.zeros(4), np.ones(4), 0.5) == 0

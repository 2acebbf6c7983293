from __future__ import annotations

import itertools
import math
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.errors import SettingsError
from phrasebox.grounding import decode, decode_batch, energy, segments

BETAS = (0.0, 0.5, 1.0, 2.0, math.inf)


@st.composite
def tables(draw, words=5, regions=4, least=1):
    """Whole numbers, so that ties are common and exact."""
    t, r = draw(st.integers(least, words)), draw(st.integers(1, regions))
    numbers = st.integers(-2, 2)
    return np.array(draw(st.lists(st.lists(numbers, min_size=r, max_size=r), min_size=t, max_size=t)), float).reshape(
        t, r
    )


def brute_force(scores, beta):
    """All optimal assignments, by trying every one. A change of region is impossible at beta = inf."""
    t, r = scores.shape
    paths = [np.array(p) for p in itertools.product(range(r), repeat=t)]
    if math.isinf(beta):
        paths, beta = [p for p in paths if len(set(p.tolist())) == 1], 0.0
    energies = [energy(scores, p, beta) for p in paths]
    return [p for p, e in zip(paths, energies, strict=True) if e == max(energies)]


def by_the_tie_rule(optimal):
    """From the last word backwards: stay if some optimal path stays, otherwise the lowest index."""
    chosen = []
    for t in reversed(range(len(optimal[0]))):
        here = {int(p[t]) for p in optimal}
        region = chosen[-1] if chosen and chosen[-1] in here else min(here)
        optimal = [p for p in optimal if p[t] == region]
        chosen.append(region)
    return chosen[::-1]


@given(tables(), st.sampled_from(BETAS))
def test_equals_brute_force_and_its_tie_rule(scores, beta):
    assert decode(scores, beta).tolist() == by_the_tie_rule(brute_force(scores, beta))


@given(
    st.lists(tables(words=7, regions=5, least=0), max_size=6), st.sampled_from(BETAS), st.sampled_from([1, 40, 10**6])
)
def test_ragged_batch_equals_one_at_a_time(batch, beta, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("phrasebox.grounding.decode"), "_TABLE", block)
        found = decode_batch(batch, beta)
    assert [p.tolist() for p in found] == [decode(s, beta).tolist() for s in batch]
    assert all(p.dtype == np.int64 for p in found)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("sentences", [1, 7, 600])
def test_array_equals_list_and_is_left_alone(dtype, beta, sentences):
    scores = np.random.default_rng(0).integers(-5, 6, (sentences, 6, 9)).astype(dtype)
    before = scores.copy()
    found = decode_batch(scores, beta)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, decode_batch(list(scores), beta))
    np.testing.assert_array_equal(found, [decode(s, beta) for s in scores])
    np.testing.assert_array_equal(scores, before)


def test_single_sentence_is_left_alone():
    scores = np.array([[1.0, 2.0], [3.0, 1.0]], np.float32)
    decode(scores, 0.5)
    assert scores.tolist() == [[1.0, 2.0], [3.0, 1.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_real_scores_of_full_size_reach_the_best_energy(dtype):
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(12, 20)).astype(dtype)
    for beta in (0.0, 0.3, 1.5):
        # The same recursion written out over all pairs of regions.
        best = scores[0].astype(np.float64)
        for row in scores[1:].astype(np.float64):
            best = row + (best[:, None] + beta * np.eye(20)).max(0)
        assert energy(scores.astype(np.float64), decode(scores, beta), beta) == pytest.approx(best.max(), abs=1e-5)


def test_beta_zero_is_the_best_region_of_each_word():
    scores = np.random.default_rng(2).normal(size=(50, 8, 30)).astype(np.float32)
    np.testing.assert_array_equal(decode_batch(scores, 0), scores.argmax(2))


@pytest.mark.parametrize("beta", [1e12, math.inf], ids=["larger than float32 resolves", "infinite"])
def test_huge_beta_takes_the_one_region_with_the_best_total(beta):
    scores = np.random.default_rng(3).integers(-9, 10, (40, 7, 11)).astype(np.float32)
    expected = np.repeat(scores.sum(1).argmax(1)[:, None], 7, axis=1)
    np.testing.assert_array_equal(decode_batch(scores, beta), expected)


def test_more_regions_than_a_byte_counts():
    scores = np.zeros((2, 3, 300), np.float32)
    scores[0, :, 299] = 1
    assert decode_batch(scores, 0.5).tolist() == [[299] * 3, [0] * 3]


@pytest.mark.parametrize("beta", [-1.0, -math.inf, math.nan])
def test_bad_beta(beta):
    with pytest.raises(SettingsError, match="beta must be at least 0"):
        decode(np.zeros((2, 2)), beta)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("wrap", [list, np.array], ids=["list", "array"])
def test_scores_that_are_not_finite(bad, wrap):
    scores = np.zeros((2, 3, 2))
    scores[1, 2, 1] = bad
    with pytest.raises(SettingsError, match="scores must be finite"):
        decode_batch(wrap(scores), 0.5)


@pytest.mark.parametrize("batch", [[np.zeros((2, 0))], np.zeros((3, 2, 0)), [np.zeros((1, 3)), np.zeros((2, 0))]])
def test_words_without_a_region(batch):
    with pytest.raises(SettingsError, match="without regions"):
        decode_batch(batch, 0.5)


def test_nothing_to_decode():
    assert decode_batch([], 0.5) == []
    assert decode(np.zeros((0, 4)), 0.5).tolist() == []
    assert decode(np.zeros((0, 0)), 0.5).tolist() == []
    assert decode_batch(np.zeros((3, 0, 4)), 0.5).shape == (3, 0)
    assert decode_batch(np.zeros((0, 5, 4)), 0.5).shape == (0, 5)


def test_energy_counts_the_pairs_that_stay():
    scores = np.array([[1.0, 5.0], [2.0, 7.0], [4.0, 0.0]])
    assert energy(scores, np.array([1, 1, 0]), beta=10.0) == 5 + 7 + 4 + 10


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        pytest.param([], [], id="no word"),
        pytest.param([3], [(0, 1, 3)], id="one word"),
        pytest.param([2, 2, 2], [(0, 3, 2)], id="one run"),
        pytest.param([0, 1, 0], [(0, 1, 0), (1, 2, 1), (2, 3, 0)], id="a region comes back"),
    ],
)
def test_segments(assignment, expected):
    assert segments(np.array(assignment, int)) == expected


@given(st.lists(st.integers(0, 3), max_size=12))
def test_runs_rebuild_the_assignment_and_cannot_be_joined(assignment):
    runs = segments(np.array(assignment, int))
    assert [region for a, b, region in runs for _ in range(a, b)] == assignment
    assert all(left[2] != right[2] for left, right in itertools.pairwise(runs))

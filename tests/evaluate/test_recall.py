from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from phrasebox.errors import DataError
from phrasebox.evaluate.recall import BLOCK, RankCounter, RankSummary, ranks_both_ways


def slow_ranks(scores: np.ndarray, owner: np.ndarray) -> tuple[list[int], list[int]]:
    """Both directions by sorting, every competitor before what it is tied with."""
    image_ranks = []
    for k in sorted(set(owner.tolist())):
        best = max(scores[k, owner == k].tolist())
        others = scores[k, owner != k].tolist()
        order = sorted([(-s, 0) for s in others] + [(-best, 1)])
        image_ranks.append(order.index((-best, 1)) + 1)
    sentence_ranks = []
    for column, k in zip(scores.T, owner, strict=True):
        order = sorted((-score, int(j == k)) for j, score in enumerate(column))
        sentence_ranks.append(order.index((-column[k], 1)) + 1)
    return image_ranks, sentence_ranks


@st.composite
def matrices(draw) -> tuple[np.ndarray, np.ndarray]:
    images, sentences = draw(st.integers(1, 14)), draw(st.integers(1, 30))
    # Few different values, so that ties are everywhere.
    scores = draw(arrays(np.float32, (images, sentences), elements=st.sampled_from([-2.0, -0.5, 0.0, 0.25, 1.0])))
    owner = draw(arrays(np.int64, sentences, elements=st.integers(0, images - 1)))
    return scores, owner


@settings(deadline=None)
@given(matrices())
def test_equals_sorting(case):
    scores, owner = case
    image_ranks, sentence_ranks = slow_ranks(scores, owner)
    forth, back = ranks_both_ways(scores, owner)
    assert forth == RankSummary.of(np.array(image_ranks))
    assert back == RankSummary.of(np.array(sentence_ranks))


@settings(deadline=None)
@given(matrices(), st.integers(1, 5))
def test_blocks_equal_full_matrix(case, block):
    scores, owner = case
    counter = RankCounter(owner, own=scores[owner, np.arange(len(owner))])
    for start in range(0, len(scores), block):
        counter.add(scores[start : start + block])
    assert counter.summaries() == ranks_both_ways(scores, owner)


def test_more_images_than_one_block():
    images = BLOCK + 44
    scores = np.random.default_rng(0).normal(size=(images, images)).astype(np.float32)
    owner = np.random.default_rng(1).permutation(images)
    image_ranks, sentence_ranks = slow_ranks(scores, owner)
    forth, back = ranks_both_ways(scores, owner)
    assert forth == RankSummary.of(np.array(image_ranks))
    assert back == RankSummary.of(np.array(sentence_ranks))


@pytest.mark.parametrize(
    ("scores", "owner", "image_median", "sentence_median"),
    [
        pytest.param([[1, 0], [0, 1]], [0, 1], 1, 1, id="perfect"),
        pytest.param([[5, 5], [5, 5]], [0, 1], 2, 2, id="a constant model is last, not first"),
        pytest.param([[3, 3, 0]], [0, 0, 0], 1, 1, id="own sentences do not compete with the best one"),
        pytest.param([[1, 1, 0], [0, 0, 1]], [0, 0, 1], 1, 1, id="own sentences tied with each other"),
        pytest.param([[1], [2], [2]], [0], 1, 3, id="images without sentences compete but do not ask"),
        pytest.param([[-3, -5], [-9, -1]], [0, 1], 1, 1, id="all scores negative"),
        pytest.param([[-np.inf, 0], [0, 0]], [0, 1], 2, 2, id="a fully masked pair scores -inf"),
    ],
)
def test_ranks(scores, owner, image_median, sentence_median):
    forth, back = ranks_both_ways(np.array(scores, dtype=float), np.array(owner))
    assert forth.median == image_median
    assert back.median == sentence_median


def test_counts_are_of_queries():
    forth, back = ranks_both_ways(np.zeros((3, 4)), np.array([0, 0, 2, 2]))
    assert (forth.count, back.count) == (2, 4)


@pytest.mark.parametrize(
    ("scores", "owner", "message"),
    [
        pytest.param([[1.0, np.nan]], [0, 0], "sentence 1 .* NaN", id="NaN names its sentence"),
        pytest.param([[1.0, 0.0], [np.nan, 1.0]], [0, 1], "row 1 hold NaN", id="NaN names its image"),
        pytest.param([[1.0, 0.0]], [0], "shape", id="a sentence without owner"),
        pytest.param([1.0, 0.0], [0, 0], "shape", id="scores of one dimension"),
        pytest.param([[1.0, 0.0]], [0, 1], "image row 1", id="owner beyond the images"),
        pytest.param([[1.0, 0.0]], [0, -1], "owner", id="negative owner"),
        pytest.param([[1.0, 0.0]], [0.0, 0.0], "owner", id="owner is not an integer"),
        pytest.param(np.zeros((1, 0)), [], "owner", id="no sentence"),
    ],
)
def test_bad_input(scores, owner, message):
    with pytest.raises(DataError, match=message):
        ranks_both_ways(np.array(scores), np.array(owner))


def test_counter_refuses_rows_in_the_wrong_order():
    scores = np.array([[0.9, 0.1], [0.2, 0.7]])
    counter = RankCounter(np.array([0, 1]), own=np.array([0.9, 0.7]))
    with pytest.raises(DataError, match="order"):
        counter.add(scores[::-1])


@pytest.mark.parametrize("rows", [np.zeros((1, 3)), np.zeros(2)], ids=["columns", "dimensions"])
def test_counter_refuses_other_shapes(rows):
    with pytest.raises(DataError, match="each of 2 sentences"):
        RankCounter(np.array([0, 1]), own=np.zeros(2)).add(rows)


def test_counter_refuses_own_of_another_length():
    with pytest.raises(DataError, match="2 sentences"):
        RankCounter(np.array([0, 1]), own=np.zeros(3))


def test_counter_misses_an_image():
    counter = RankCounter(np.array([0, 1]), own=np.zeros(2))
    counter.add(np.zeros((1, 2)))
    with pytest.raises(DataError, match="only 1 images"):
        counter.summaries()

from __future__ import annotations

import math

import numpy as np
import pytest

from phrasebox.errors import DataError
from phrasebox.grounding import localise as localise_spans
from phrasebox.grounding.localise import EXTENT, FUSED, GRID, LOYALTY, SHARPNESS, coverage, fuse, heat_map, merits
from phrasebox.grounding.phrases import overlap
from phrasebox.text import words
from phrasebox.types import Regions

CAPTION = "A dog chases the red ball"
WORDS = words(CAPTION)
BOXES = np.array([[0, 0, 200, 100], [0, 0, 60, 50], [100, 40, 180, 100], [104, 44, 180, 100]], np.float32)
REGIONS = Regions(BOXES, np.ones(4, np.float32), 200, 100)


def table(**regions_of_words):
    scores = np.full((len(WORDS), 4), -1.0, np.float32)
    for word, regions in regions_of_words.items():
        scores[[w.text for w in WORDS].index(word), regions] = 1
    return scores


def test_one_phrase_a_span_in_the_order_given():
    scores = table(dog=[1], ball=[2, 3])
    found = localise_spans(CAPTION, WORDS, scores, REGIONS, [(13, 25), (0, 5), (13, 25)], temperature=20)
    assert [p.text for p in found] == ["the red ball", "A dog", "the red ball"]
    assert [p.span for p in found] == [(13, 25), (0, 5), (13, 25)]
    assert found[1].region == 1
    assert found[0].region in (2, 3)
    assert found[1].box == REGIONS.box(1)
    assert 100 < found[0].box.x1 < 104  # between the two near-equal boxes
    assert found[0].box.x2 == 180
    assert localise_spans(CAPTION, WORDS, scores, REGIONS, []) == ()


def test_only_content_words_speak_for_a_phrase():
    scores = table(the=[1], ball=[2])
    (phrase,) = localise_spans(CAPTION, WORDS, scores, REGIONS, [(13, 25)], temperature=20)
    assert phrase.region == 2
    assert phrase.score == 0  # mean of "red" (-1) and "ball" (1), without "the"


def test_function_words_speak_if_there_are_no_others():
    (phrase,) = localise_spans(CAPTION, WORDS, table(the=[1]), REGIONS, [(13, 16)], temperature=20)
    assert (phrase.region, phrase.score) == (1, 1.0)


def test_span_that_cuts_a_word_holds_it():
    (phrase,) = localise_spans(CAPTION, WORDS, table(dog=[1]), REGIONS, [(3, 4)], temperature=20)
    assert (phrase.text, phrase.region) == ("o", 1)


@pytest.mark.parametrize("span", [(-1, 3), (0, 26), (4, 4), (5, 2)])
def test_span_outside_the_caption(span):
    with pytest.raises(DataError, match="outside the caption of 25 characters"):
        localise_spans(CAPTION, WORDS, table(), REGIONS, [span])


def test_span_without_a_word():
    with pytest.raises(DataError, match="holds no word"):
        localise_spans(CAPTION, WORDS, table(), REGIONS, [(1, 2)])


def slow_coverage(box):
    """Share of every cell that a box (in cells) covers, row by row."""
    x1, y1, x2, y2 = box
    cells = []
    for row in range(GRID):
        for column in range(GRID):
            width = max(0.0, min(x2, column + 1) - max(x1, column))
            height = max(0.0, min(y2, row + 1) - max(y1, row))
            cells.append(width * height)
    return cells


def random_shares(count):
    rng = np.random.default_rng(5)
    low = rng.uniform(0, 0.6, (count, 2))
    return np.concatenate([low, low + rng.uniform(0.02, 0.4, (count, 2))], axis=1).astype(np.float32)


def test_coverage_equals_a_slow_loop_over_cells():
    shares = random_shares(6)
    expected = [slow_coverage([GRID * float(x) for x in box]) for box in shares]
    np.testing.assert_allclose(coverage(shares), expected, atol=1e-5)


def test_coverage_of_the_frame_is_every_cell():
    np.testing.assert_allclose(coverage(np.array([[0, 0, 1, 1]], np.float32)), np.ones((1, GRID * GRID)), rtol=1e-5)


def test_heat_equals_a_slow_loop_over_cells():
    cover = coverage(random_shares(6))
    scores = np.random.default_rng(6).normal(size=6).astype(np.float32)
    expected = [0.0] * (GRID * GRID)
    for score, cells in zip(scores.tolist(), cover.tolist(), strict=True):
        vote = math.exp(SHARPNESS * 3.0 * (score - float(scores.max()))) / math.sqrt(sum(cells))
        for cell, share in enumerate(cells):
            expected[cell] += vote * share
    np.testing.assert_allclose(heat_map(scores, cover, 3.0), expected, rtol=1e-4, atol=1e-7)


def test_merit_is_heat_inside_over_heat_and_area():
    rng = np.random.default_rng(7)
    shares = random_shares(9)
    regions = Regions(shares * np.array([64, 48, 64, 48], np.float32), np.ones(9, np.float32), 64, 48)
    for _ in range(5):
        scores = rng.normal(size=9).astype(np.float32)
        heat = heat_map(scores, coverage(shares), 4.0).tolist()
        peak, expected = max(heat), []
        for cells in coverage(shares).tolist():
            inside = sum(share * h / peak for share, h in zip(cells, heat, strict=True))
            expected.append(inside / (sum(heat) / peak + EXTENT * sum(cells)))
        np.testing.assert_allclose(merits(scores, regions, 4.0), expected, rtol=1e-4)


def test_fused_box_is_a_mean_of_those_that_overlap_the_best():
    boxes = np.array([[0, 0, 10, 10], [2, 0, 10, 10], [0, 0, 3, 3], [50, 50, 60, 60]], np.float32)
    merit = np.array([1.0, 0.9, 0.99, 0.99])
    assert overlap(boxes[0], boxes)[2] < FUSED < overlap(boxes[0], boxes)[1]
    say = 0.9**LOYALTY
    np.testing.assert_allclose(fuse(merit, boxes), [2 * say / (1 + say), 0, 10, 10], rtol=1e-5)


def test_what_every_word_says_does_not_decide():
    # Both things score high on region 1; the ball alone scores on region 2 too.
    scores = table(dog=[1], chases=[1], red=[1], ball=[1, 2])
    (phrase,) = localise_spans(CAPTION, WORDS, scores, REGIONS, [(21, 25)], temperature=4)
    assert phrase.region in (2, 3)


def test_near_equal_boxes_add_up_instead_of_splitting_the_vote():
    # Two boxes on one thing, each a little behind a lone box elsewhere.
    boxes = np.array([[0, 0, 100, 100], [0, 0, 30, 30], [60, 60, 90, 90], [61, 61, 91, 91]], np.float32)
    regions = Regions(boxes, np.ones(4, np.float32), 100, 100)
    assert merits(np.array([-9, 1, 0.95, 0.95], np.float32), regions, temperature=4.0).argmax() in (2, 3)

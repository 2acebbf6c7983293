from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.boxes import covers_image, iou
from phrasebox.grounding import clean_phrases
from phrasebox.grounding.phrases import confidence, is_content, trim
from phrasebox.text.words import words
from phrasebox.types import Box, Regions

BOXES = np.array([[0, 0, 100, 80], [0, 0, 40, 40], [2, 0, 42, 40], [50, 10, 100, 80]], np.float32)
REGIONS = Regions(BOXES, np.ones(4, np.float32), 100, 80)


def phrases_of(caption, assignment, scores=None):
    found = words(caption)
    assert len(found) == len(assignment)
    scores = np.zeros((len(found), 4), np.float32) if scores is None else scores
    return clean_phrases(caption, found, scores, np.array(assignment, int), REGIONS)


@pytest.mark.parametrize(
    ("caption", "assignment", "expected"),
    [
        pytest.param("A tabby cat is on it", [1] * 6, ["A tabby cat"], id="the end is trimmed"),
        pytest.param("with the small dog", [1] * 4, ["the small dog"], id="the determiner before the noun stays"),
        pytest.param("is with small dogs", [1] * 4, ["small dogs"], id="other function words before it go"),
        pytest.param("cat and dog", [1] * 3, ["cat and dog"], id="function words inside stay"),
        pytest.param("it is on the", [1] * 4, [], id="function words only"),
        pytest.param("A cat on the mat", [1, 1, 2, 2, 2], ["A cat", "the mat"], id="two runs"),
        pytest.param("A cat of the", [1, 1, 2, 2], ["A cat"], id="a run of function words is dropped"),
        pytest.param("the", [0], [], id="a lone determiner"),
        pytest.param("A dog runs. A cat sits", [1] * 6, ["A dog runs", "A cat sits"], id="full stop"),
        pytest.param("a dog; cats!ducks\ncows", [1] * 5, ["a dog", "cats", "ducks", "cows"], id="other ends"),
        pytest.param("a 2.5 m wall", [1] * 4, ["a 2.5 m wall"], id="a decimal point ends nothing"),
        pytest.param("a dog, a cat", [1] * 4, ["a dog, a cat"], id="a comma ends nothing"),
        pytest.param("犬。猫", [1, 1], ["犬", "猫"], id="ideographic full stop"),
        pytest.param("कुत्ता दौड़। बिल्ली", [2, 2, 2], ["कुत्ता दौड़", "बिल्ली"], id="danda"),
        pytest.param("Собака на траве", [1, 1, 3], ["Собака на", "траве"], id="no stop words outside English"),
        pytest.param("IT IS THE DOG", [1] * 4, ["THE DOG"], id="upper case"),
    ],
)
def test_clean_phrases(caption, assignment, expected):
    assert [p.text for p in phrases_of(caption, assignment)] == expected


caption_text = st.lists(
    st.sampled_from(["a", "The", "dog", "is", "on", "ball", "2.5", "犬", "собака", ".", "!", ", ", "\n", "-", "🐕"]),
    max_size=14,
).map(" ".join)


@given(caption_text, st.data())
def test_spans_are_exact_ordered_and_inside_one_sentence(caption, data):
    found = words(caption)
    assignment = data.draw(st.lists(st.integers(0, 3), min_size=len(found), max_size=len(found)))
    end = 0
    for p in phrases_of(caption, assignment):
        start, stop = p.span
        assert end <= start < stop
        assert caption[start:stop] == p.text
        inside = [t for t, w in enumerate(found) if start <= w.start and w.end <= stop]
        assert {assignment[t] for t in inside} == {p.region}
        assert p.box == REGIONS.box(p.region)
        assert any(is_content(found[t].text) for t in inside)
        assert is_content(found[inside[-1]].text)
        for a, b in itertools.pairwise(inside):
            assert not set(caption[found[a].end : found[b].start]) & set(".!\n")
        end = stop


@given(caption_text, st.data())
def test_every_content_word_is_in_a_phrase(caption, data):
    found = words(caption)
    assignment = data.draw(st.lists(st.integers(0, 3), min_size=len(found), max_size=len(found)))
    spans = [p.span for p in phrases_of(caption, assignment)]
    for w in found:
        if is_content(w.text):
            assert sum(start <= w.start and w.end <= end for start, end in spans) == 1


def test_score_is_the_mean_over_the_words_that_remain():
    scores = np.array([[0, 9, 0, 0], [0, 1, 0, 0], [0, 4, 0, 0], [0, 9, 0, 0]], np.float32)
    (phrase,) = phrases_of("on a dog is", [1] * 4, scores)
    assert (phrase.text, phrase.score) == ("a dog", 2.5)


@pytest.mark.parametrize(("region", "whole"), [(0, True), (1, False)], ids=["the frame", "a part"])
def test_whole_image_flag(region, whole):
    (phrase,) = phrases_of("dog", [region])
    assert phrase.whole_image is whole


def test_nine_tenths_of_the_frame_are_the_frame():
    assert covers_image(Box(0, 0, 90, 80), 100, 80)
    assert not covers_image(Box(0, 0, 89.9, 80), 100, 80)


def slow_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def boxes_of(rng, count):
    low = rng.uniform(0, 50, (count, 2))
    return np.concatenate([low, low + rng.uniform(5, 50, (count, 2))], axis=1).astype(np.float32)


@given(st.integers(0, 10**6), st.integers(1, 40), st.sampled_from([0.0, 1.0, 40.0, 1000.0]))
def test_confidence_equals_a_slow_loop_and_is_a_probability(seed, count, temperature):
    rng = np.random.default_rng(seed)
    boxes, scores = boxes_of(rng, count), rng.normal(size=count).astype(np.float32)
    region = int(rng.integers(count))
    weights = [math.exp(temperature * (float(s) - float(scores.max()))) for s in scores]
    near = [slow_iou(boxes[region].tolist(), b.tolist()) >= 0.5 for b in boxes]
    found = confidence(scores, region, boxes, temperature)
    assert found == pytest.approx(sum(w for w, n in zip(weights, near, strict=True) if n) / sum(weights), abs=1e-4)
    assert 0 <= found <= 1


def test_confidence_of_nearly_all_votes_stays_a_probability():
    # Summed in another order, a part of the votes can come out larger than all of them.
    rng = np.random.default_rng(0)
    boxes = np.tile(np.array([[0, 0, 10, 10]], np.float32), (60, 1))
    boxes[::7] = [50, 50, 60, 60]
    for _ in range(300):
        scores = rng.uniform(-1e-3, 0, 60).astype(np.float32)
        scores[::7] = -30
        assert 0.99 < confidence(scores, 1, boxes, 1.0) <= 1


def test_overlap_equals_a_slow_loop():
    boxes = boxes_of(np.random.default_rng(3), 12)
    expected = [slow_iou(boxes[2].tolist(), b.tolist()) for b in boxes]
    np.testing.assert_allclose(iou(boxes[2], boxes), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("the a his", ""), ("the of dog", "dog"), ("in that red car by", "that red car"), ("dog", "dog")],
)
def test_trim(text, expected):
    found = words(text)
    first, last = trim(found, 0, len(found))
    assert " ".join(w.text for w in found[first:last]) == expected

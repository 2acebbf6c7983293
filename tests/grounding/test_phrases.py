from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.grounding import clean_phrases
from phrasebox.grounding.phrases import trim
from phrasebox.text.english import is_content
from phrasebox.text.words import words
from phrasebox.types import Regions

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [("the a his", ""), ("the of dog", "dog"), ("in that red car by", "that red car"), ("dog", "dog")],
)
def test_trim(text, expected):
    found = words(text)
    first, last = trim(found, 0, len(found))
    assert " ".join(w.text for w in found[first:last]) == expected

"""Phrases cut from a decoded chain: pieces that can have a box of their own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.grounding import chain_phrases, phrase_spans
from phrasebox.text.english import DETERMINERS, is_content, links
from phrasebox.text.words import words

APART = np.array([[0, 0, 9, 9], [20, 0, 29, 9], [40, 0, 49, 9]], np.float32)
ALIKE = np.array([[0, 0, 9, 9], [0, 0, 9, 8], [40, 0, 49, 9]], np.float32)


def cut(caption, assignment, boxes=APART):
    return [caption[slice(*span)] for span in chain_phrases(caption, words(caption), np.array(assignment), boxes)]


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("A cup with black coffee on the table", ["A cup", "black coffee", "the table"]),
        ("A group of people on top of it", ["A group of people", "top"]),
        ("the back of the black and white dog", ["the back of the black and white dog"]),
        ("a dog and a cat of", ["a dog", "a cat"]),
        ("white and fluffy", ["white", "fluffy"]),
        ("Two dogs running", ["Two dogs", "running"]),
        ("A running dog", ["A running dog"]),
        ("a brick building", ["a brick building"]),
        ("A dog . A cat .", ["A dog", "A cat"]),
        ("it is on it", []),
        ("一只狗 在 草地", ["一只狗 在 草地"]),
    ],
)
def test_one_segment(caption, phrases):
    assert cut(caption, [0] * len(words(caption))) == phrases


def test_regions_apart_keep_words_apart_and_regions_alike_do_not():
    assert cut("brown dog ball", [0, 0, 1]) == ["brown dog", "ball"]
    assert cut("brown dog ball", [0, 0, 1], ALIKE) == ["brown dog ball"]
    assert cut("dog . ball", [0, 1], ALIKE) == ["dog", "ball"]


def test_a_determiner_and_its_word_are_not_parted_from_what_follows():
    assert cut("A red motorcycle", [0, 0, 1]) == ["A red motorcycle"]
    assert cut("A dog", [0, 1]) == ["A dog"]
    assert cut("A big red motorcycle", [0, 0, 0, 1]) == ["A big red", "motorcycle"]


TOKENS = "a the dog running of in red blue building front and . !".split()  # noqa: SIM905


@given(
    st.lists(st.sampled_from(TOKENS), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_spans_are_exact_and_in_order_and_hold_what_they_should(tokens, random):
    caption = " ".join(tokens)
    found = words(caption)
    assignment = np.array([random.randrange(3) for _ in found], np.int64)
    spans = chain_phrases(caption, found, assignment, ALIKE)
    assert all(a < b <= c for (a, b), (c, _) in itertools.pairwise(spans))
    for start, end in spans:
        inside = [w.text for w in found if start <= w.start and w.end <= end]
        assert caption[start:end].startswith(inside[0])
        assert caption[start:end].endswith(inside[-1])
        assert is_content(inside[-1])
        for before, word, after in zip(inside, inside[1:], inside[2:], strict=False):
            assert is_content(word) or links(before, word, after) or (before == "of" and word in DETERMINERS)
    told = [w for w in found if is_content(w.text)]
    assert all(any(start <= w.start and w.end <= end for start, end in spans) for w in told)


@pytest.mark.parametrize(
    ("caption", "verbs", "phrases"),
    [
        ("A red bus drives", False, ["A red bus"]),
        ("A red bus drives", True, ["A red bus drives"]),
        ("Zwei Hunde spielen", False, ["Zwei Hunde spielen"]),
    ],
    ids=["English", "with verbs", "another language: the chain"],
)
def test_the_language_cuts_phrases_where_it_can(caption, verbs, phrases):
    found = words(caption)
    spans = phrase_spans(caption, found, np.zeros(len(found), int), APART, verbs)
    assert [caption[slice(*span)] for span in spans] == phrases

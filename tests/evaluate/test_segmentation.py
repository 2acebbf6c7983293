from __future__ import annotations

import re
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phrasebox.errors import DataError
from phrasebox.evaluate import SegmentationCase, segmentation_report
from phrasebox.types import Box, Regions, TruePhrase, Word

# Region 0 is the whole image, 1 its left half, 2 its right half.
HALVES = Regions(np.array([[0, 0, 8, 4], [0, 0, 4, 4], [4, 0, 8, 4]], dtype=np.float32), np.ones(3), 8, 4)
LEFT = (Box(0, 0, 4, 4),)
TEXT = "a red dog , and my cat"


def words(text: str) -> tuple[Word, ...]:
    return tuple(Word(m.group(), m.start(), m.end()) for m in re.finditer(r"\w+", text))


def case(assignment: list[int], *phrases: TruePhrase, beta: float = 0.0, text: str = TEXT) -> SegmentationCase:
    return SegmentationCase(beta, words(text), np.array(assignment), HALVES, phrases)


def marked(text: str, boxes: tuple[Box, ...] = ()) -> TruePhrase:
    return TruePhrase(text, (TEXT.index(text), TEXT.index(text) + len(text)), boxes)


@st.composite
def sentences(draw) -> SegmentationCase:
    lengths = draw(st.lists(st.integers(1, 3), min_size=1, max_size=8))
    text = " ".join("x" * n for n in lengths)
    assignment = draw(st.lists(st.integers(0, 2), min_size=len(lengths), max_size=len(lengths)))
    phrases = []
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        boxes = draw(st.sampled_from([(), LEFT, (Box(4, 1, 8, 4),), (Box(0, 0, 1, 1), Box(6, 2, 7, 3))]))
        phrases.append(TruePhrase(text[start:end], (start, end), boxes))
    return case(assignment, *phrases, text=text)


def slow_counts(one: SegmentationCase) -> tuple[int, int, int]:
    """Segments, intact phrases, pointed heads, by labelling every character with its word and its segment."""
    runs = [list(run) for _, run in groupby(range(len(one.words)), key=lambda t: one.assignment[t])]
    segment_of = {t: s for s, run in enumerate(runs) for t in run}
    word_at = {c: t for t, word in enumerate(one.words) for c in range(word.start, word.end)}
    centres = {0: (4, 2), 1: (2, 2), 2: (6, 2)}
    intact = pointed = 0
    for phrase in one.phrases:
        inside = [word_at[c] for c in range(*phrase.span) if c in word_at]
        intact += len({segment_of[t] for t in inside}) == 1
        if inside:
            x, y = centres[int(one.assignment[inside[-1]])]
            pointed += any(b.x1 <= x < b.x2 and b.y1 <= y < b.y2 for b in phrase.boxes)
    return len(runs), intact, pointed


@settings(deadline=None)
@given(st.lists(sentences(), min_size=1, max_size=4))
def test_equals_characters_one_by_one(cases):
    (scores,) = segmentation_report(cases).sweep
    segments, intact, pointed = (sum(column) for column in zip(*map(slow_counts, cases), strict=True))
    phrases = [phrase for one in cases for phrase in one.phrases]
    boxed = [phrase for phrase in phrases if phrase.boxes]
    assert (scores.sentences, scores.phrases, scores.boxed_phrases) == (len(cases), len(phrases), len(boxed))
    assert scores.mean_length == sum(len(one.words) for one in cases) / segments
    assert scores.mean_segments == segments / len(cases)
    assert scores.phrase_intact == (100 * intact / len(phrases) if phrases else None)
    assert scores.pointing == (100 * pointed / len(boxed) if boxed else None)


@pytest.mark.parametrize(
    ("assignment", "intact", "pointing"),
    [
        pytest.param([1, 1, 1, 0, 0, 0], 100.0, 100.0, id="one segment on the right box"),
        pytest.param([2, 2, 2, 0, 0, 0], 100.0, 0.0, id="one segment on the wrong box"),
        pytest.param([0, 0, 1, 1, 1, 1], 0.0, 100.0, id="cut, but the head is on the right box"),
        pytest.param([1, 1, 0, 0, 0, 0], 0.0, 0.0, id="cut, only modifiers on the right box"),
        pytest.param([1, 0, 1, 1, 1, 1], 0.0, 100.0, id="the same region twice is two segments"),
    ],
)
def test_phrase_of_three_words(assignment, intact, pointing):
    (scores,) = segmentation_report([case(assignment, marked("a red dog", LEFT))]).sweep
    assert (scores.phrase_intact, scores.pointing) == (intact, pointing)


@pytest.mark.parametrize(
    ("phrase", "intact"),
    [
        pytest.param("red dog ,", 100.0, id="punctuation is no word"),
        pytest.param("og , an", 0.0, id="half a word counts as the word"),
        pytest.param(",", 0.0, id="a phrase without any word is not intact"),
    ],
)
def test_words_of_a_span(phrase, intact):
    (scores,) = segmentation_report([case([1, 1, 1, 2, 2, 2], marked(phrase, LEFT))]).sweep
    assert scores.phrase_intact == intact


def test_phrase_without_a_word_is_missed_not_dropped():
    (scores,) = segmentation_report([case([1] * 6, marked(",", LEFT), marked("my cat", LEFT))]).sweep
    assert (scores.boxed_phrases, scores.pointing) == (2, 50.0)


def test_phrase_without_box_counts_for_intact_only():
    (scores,) = segmentation_report([case([0] * 6, marked("my cat"))]).sweep
    assert (scores.phrases, scores.boxed_phrases, scores.phrase_intact, scores.pointing) == (1, 0, 100.0, None)


def test_length_is_over_all_segments():
    long, short = case([0] * 6), case([0, 1], text="two words")
    (scores,) = segmentation_report([long, short]).sweep
    assert (scores.mean_length, scores.mean_segments) == (8 / 3, 1.5)


def test_betas_are_kept_apart_and_sorted():
    cases = [case([0] * 6, beta=1.0), case([0, 1, 0, 1, 0, 1], beta=0.1), case([0] * 5 + [1], beta=1.0)]
    sweep = segmentation_report(iter(cases)).sweep
    assert [(at.beta, at.sentences, at.mean_segments) for at in sweep] == [(0.1, 1, 6.0), (1.0, 2, 1.5)]


def test_boxes_in_other_pixels_than_truth():
    truth = TruePhrase("my cat", (16, 22), (Box(16, 0, 32, 40),))
    seen = SegmentationCase(0.0, words(TEXT), np.full(6, 2), HALVES, (truth,), truth_size=(32, 40))
    assert segmentation_report([seen]).sweep[0].pointing == 100.0
    unscaled = SegmentationCase(0.0, words(TEXT), np.full(6, 2), HALVES, (truth,))
    assert segmentation_report([unscaled]).sweep[0].pointing == 0.0


def test_table_says_not_available():
    table = segmentation_report([case([0] * 6, beta=0.5)]).table("train", seed=3)
    assert table.to_markdown().splitlines()[-1] == "| 0.5 | 1 | 0 | 0 | 6.0 | 1.0 | n/a | n/a |"
    assert table.to_json()["rows"][0]["phrase-intact"] is None


@pytest.mark.parametrize(
    ("assignment", "text", "message"),
    [
        pytest.param([0, 0], "three small words", "3 words", id="a word without region"),
        pytest.param([], "...", "0 words", id="no word"),
        pytest.param([0, 3], "two words", r"outside 0\.\.2", id="region out of range"),
        pytest.param([0, -1], "two words", r"outside 0\.\.2", id="negative region"),
    ],
)
def test_bad_case(assignment, text, message):
    with pytest.raises(DataError, match=message):
        case(assignment, text=text)


def test_no_sentence():
    with pytest.raises(DataError, match="no sentence"):
        segmentation_report([])

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.show.wording import number, owner, segments
from phrasebox.types import Box, Phrase


def phrase(start: int, end: int) -> Phrase:
    return Phrase("x", (start, end), Box(0, 0, 1, 1), 0.5, 0.5)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([], [("a red bus stops", None)], id="no phrase"),
        pytest.param([(0, 15)], [("a red bus stops", 0)], id="the whole sentence"),
        pytest.param([(10, 15), (0, 9)], [("a red bus", 1), (" ", None), ("stops", 0)], id="out of order"),
        pytest.param([(0, 9), (2, 5)], [("a ", 0), ("red", 1), (" bus", 0), (" stops", None)], id="one inside another"),
        pytest.param([(0, 9), (6, 15)], [("a red ", 0), ("bus", 0), (" stops", 1)], id="overlapping, equally long"),
    ],
)
def test_segments_give_each_letter_to_the_shortest_phrase(spans, expected):
    assert segments("a red bus stops", [phrase(*span) for span in spans]) == expected


@given(st.text(min_size=1), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), max_size=5))
def test_segments_joined_are_the_caption(caption, pairs):
    phrases = [phrase(start, min(start + length, len(caption))) for start, length in pairs if start < len(caption)]
    assert "".join(segment.text for segment in segments(caption, phrases)) == caption


def test_a_word_half_inside_a_phrase_belongs_to_none():
    assert owner([phrase(0, 5)], (4, 8)) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0.125, "0.12", id="two decimals"),
        pytest.param(-12.3, "−12.30", id="a real minus"),
        pytest.param(-0.004, "0.00", id="no negative zero"),
    ],
)
def test_number(value, text):
    assert number(value) == text

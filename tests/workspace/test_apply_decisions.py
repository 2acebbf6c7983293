"""What people decided, laid over what was decoded."""

from __future__ import annotations

import pytest

from phrasebox.types import Box, GroundedCaption, Phrase
from phrasebox.workspace.apply_decisions import settle, with_decisions
from phrasebox.workspace.decisions import Decision

TEXT = "a dog beside a cat"
DOG, CAT, BOTH = (0, 5), (13, 18), (0, 18)
LEFT, RIGHT, SMALL = Box(0, 0, 20, 20), Box(20, 0, 40, 20), Box(1, 1, 5, 5)
SIZE = (40, 20)


def phrase(span, box, **about) -> Phrase:
    return Phrase(TEXT[slice(*span)], span, box, 0.4, 0.3, region=2, **about)


def made(verdict, found, found_box, span=None, box=None, size=SIZE, caption=TEXT) -> Decision:
    return Decision(verdict, "1.png", caption, found, found_box, span or found, box or found_box, size, "ann")


def told(*decisions, phrases=((DOG, LEFT), (CAT, RIGHT)), reviewed=(), size=SIZE):
    captions = [GroundedCaption(TEXT, tuple(phrase(*one) for one in phrases)), GroundedCaption("two animals")]
    first, second = with_decisions(captions, decisions, size, reviewed)
    assert second == captions[1]
    return [(p.span, tuple(p.box), p.reviewed) for p in first.phrases]


PLAIN_DOG, PLAIN_CAT = (DOG, (0, 0, 20, 20), False), (CAT, (20, 0, 40, 20), False)


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        pytest.param([], [PLAIN_DOG, PLAIN_CAT], id="nobody looked"),
        pytest.param([made("accept", DOG, LEFT)], [(DOG, (0, 0, 20, 20), True), PLAIN_CAT], id="accepted"),
        pytest.param([made("reject", DOG, LEFT)], [PLAIN_CAT], id="rejected"),
        pytest.param([made("edit", DOG, LEFT, box=SMALL)], [(DOG, (1, 1, 5, 5), True), PLAIN_CAT], id="moved"),
        pytest.param([made("edit", DOG, LEFT, span=BOTH)], [(BOTH, (0, 0, 20, 20), True), PLAIN_CAT], id="reworded"),
        pytest.param([made("reject", DOG, SMALL)], [PLAIN_DOG, PLAIN_CAT], id="rejected on another box"),
        pytest.param([made("accept", DOG, SMALL)], [(DOG, (1, 1, 5, 5), True), PLAIN_CAT], id="decoded anew elsewhere"),
        pytest.param(
            [made("accept", BOTH, SMALL)],
            [PLAIN_DOG, (BOTH, (1, 1, 5, 5), True), PLAIN_CAT],
            id="decoded no more",
        ),
        pytest.param([made("accept", DOG, LEFT, caption="a dog")], [PLAIN_DOG, PLAIN_CAT], id="of another caption"),
        pytest.param(
            [made("accept", DOG, Box(0, 0, 40, 40), size=(80, 40))],
            [(DOG, (0, 0, 20, 20), True), PLAIN_CAT],
            id="on a larger copy of the picture",
        ),
    ],
)
def test_over_decoded_phrases(decisions, expected):
    assert told(*decisions) == expected


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        pytest.param(made("reject", DOG, LEFT), [PLAIN_CAT], id="one that is left in it"),
        pytest.param(made("accept", BOTH, SMALL), [PLAIN_DOG, PLAIN_CAT], id="one that was taken out of it"),
        pytest.param(made("accept", DOG, SMALL), [PLAIN_DOG, PLAIN_CAT], id="one that was moved in it"),
    ],
)
def test_a_caption_gone_over_as_a_whole_keeps_what_was_left_in_it(decision, expected):
    assert told(decision, reviewed={TEXT}) == expected


def test_the_same_words_on_two_boxes_are_two():
    assert told(made("reject", DOG, RIGHT), phrases=((DOG, LEFT), (DOG, RIGHT))) == [PLAIN_DOG]


def test_states_and_scores():
    captions = [GroundedCaption(TEXT, (phrase(DOG, LEFT), phrase(CAT, RIGHT)))]
    decisions = [made("reject", CAT, RIGHT), made("edit", DOG, LEFT, box=SMALL), made("accept", BOTH, SMALL)]
    found = settle(captions, decisions, SIZE)
    assert [(one.state, one.found, one.phrase.score) for one in found] == [
        ("edited", DOG, 0.4),
        ("accepted", BOTH, 1.0),
        ("rejected", CAT, 0.4),
    ]
    kept = with_decisions(captions, decisions, SIZE)[0].phrases
    assert {(p.score, p.confidence, p.region, p.reviewed) for p in kept} == {(1.0, 1.0, -1, True)}
    assert [one.state for one in settle(captions, [], SIZE, {TEXT})] == ["accepted", "accepted"]

"""Decisions about single phrases: what they change, what is refused, and what is exported of them."""

from __future__ import annotations

import pytest
from to_review import DOG, FIRST, KEYS, SECOND, lines, phrase

from phrasebox.errors import DataError, NotFoundError, SettingsError, WorkspaceError
from phrasebox.review import PhraseFilter, Review, place_of
from phrasebox.stages.export import export
from phrasebox.types import Box, Caption, Example, GroundedCaption, Phrase, TruePhrase
from phrasebox.workspace.workspace import Workspace


def test_decisions_outlive_the_process_and_reach_what_is_read(ws, review):
    accepted = review.decide(DOG, "accept", " ann   b ")
    assert (accepted.state, accepted.who, bool(accepted.when)) == ("accepted", "ann b", True)
    edited = review.decide("1.png#0#13-18", "edit", "ann", text="cat", box=(-9, 1, 99, 5))
    assert (edited.text, edited.span, tuple(edited.box)) == ("cat", (15, 18), (0, 1, 40, 5))
    assert (edited.found, tuple(edited.found_box), edited.score) == ((13, 18), (0, 0, 20, 20), 0.5)
    review.decide("1.png#2#4-11", "reject", "ann")
    image = next(Workspace(ws.path).grounded())
    assert [[(p.text, p.reviewed) for p in caption.phrases] for caption in image.captions] == [
        [("a dog", True), ("cat", True)],
        [],
        [],
    ]
    progress = Review(ws).progress()
    counts = (progress.total, progress.open, progress.accepted, progress.rejected, progress.edited)
    assert (counts, progress.people) == ((9, 6, 1, 1, 1), {"ann": 2, "ann b": 1})


def test_an_edit_stays_one_until_it_is_rejected_or_taken_back(review):
    review.decide(DOG, "edit", "ann", text="dog")
    assert review.decide(DOG, "accept", "ben").state == "edited"
    assert review.decide(DOG, "edit", "ben", box=(1, 1, 5, 5)).text == "dog"
    assert review.decide(DOG, "reject", "ben").text == "a dog"
    assert review.undo("ben").phrases[0].text == "dog"
    assert [review.undo("ben").phrases[0].state for _ in range(2)] == ["edited", "edited"]
    assert review.undo("ben") is None
    assert (review.undo("ann").phrases[0].state, review.undo("ann")) == ("open", None)


def test_new_phrases_are_seen_and_decisions_survive_decoding_anew(ws, review):
    review.decide(DOG, "edit", "ann", box=(1, 1, 5, 5))
    review.decide("1.png#2#4-11", "reject", "ann")
    ws.claim("ground", {"beta": 1}, fresh=True)
    page = review.page()
    assert [(one.text, one.state, tuple(one.box)) for one in page.phrases] == [("a dog", "edited", (1, 1, 5, 5))]
    moved = Phrase("a dog", (0, 5), Box(9, 9, 20, 20), 0.4, 0.3)
    found = (GroundedCaption(FIRST, (moved, phrase(FIRST, 13, 18, 0.1))), GroundedCaption("nothing"))
    ws.append_phrases({"1.png": (*found, GroundedCaption(SECOND, (phrase(SECOND, 4, 11, 0.2),)))})
    states = [(one.text, one.state, tuple(one.box)) for one in review.page().phrases]
    assert states == [
        ("a dog", "edited", (1, 1, 5, 5)),
        ("a cat", "open", (0, 0, 20, 20)),
        ("animals", "rejected", (0, 0, 20, 20)),
    ]
    assert review.undo("ann").phrases[0].state == "open"
    assert review.undo("ann") is not None
    assert [tuple(one.box) for one in review.page(PhraseFilter(text="dog")).phrases] == [(9, 9, 20, 20)]


def test_beside_captions_corrected_elsewhere(ws, review):
    review.decide(DOG, "reject", "ann")
    boxes = (Box(0, 0, 9, 9), Box(9, 0, 18, 9))
    left = Caption(FIRST, (TruePhrase("a dog", (0, 5), boxes),), reviewed=True)
    ws.put_reviewed([Example("1.png", ws.path, (left,), size=(40, 20))])
    page = review.page(PhraseFilter(key="1.png"))
    assert [(one.text, one.state) for one in page.phrases] == [("a dog", "accepted")] * 2 + [("animals", "open")]
    assert len({one.id for one in page.phrases}) == 3
    review.decide(page.phrases[1].id, "reject", "ann")
    kept = next(ws.grounded()).captions[0].phrases
    assert [tuple(one.box) for one in kept] == [(0, 0, 9, 9)]


@pytest.mark.parametrize(
    ("id", "verdict", "changes", "kind", "told"),
    [
        ("1.png#0#0-4", "accept", {}, NotFoundError, "no phrase"),
        ("nothing", "accept", {}, NotFoundError, "no phrase"),
        ("", "accept", {}, NotFoundError, "no phrase"),
        (DOG, "accept", {"text": "dog"}, DataError, "takes no text"),
        (DOG, "edit", {"text": "a horse"}, DataError, "not in the caption"),
        (DOG, "edit", {"text": "  "}, DataError, "not in the caption"),
        (DOG, "edit", {"span": (5, 6)}, DataError, "holds no words"),
        (DOG, "edit", {"span": (0, 99)}, DataError, "holds no words"),
        (DOG, "edit", {"box": (50, 0, 60, 10)}, DataError, "not inside the picture"),
        (DOG, "edit", {"box": (1, 1, 1.5, 9)}, DataError, "below a pixel"),
        (DOG, "edit", {"box": (0, 0, float("nan"), 1)}, DataError, "four numbers"),
        (DOG, "edit", {"box": (0, 0, 1)}, DataError, "four numbers"),
        (DOG, "accept", {"who": " "}, DataError, "a name"),
        (DOG, "accept", {"who": "x" * 81}, DataError, "a name"),
        (DOG, "accept", {"who": "an\x00n"}, DataError, "a name"),
        (DOG, "perhaps", {}, DataError, "not a valid decision"),
    ],
)
def test_refused(ws, review, id, verdict, changes, kind, told):
    with pytest.raises(kind, match=told):
        review.decide(id, verdict, **{"who": "ann", **changes})
    assert not (ws.path / "decisions.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "caption", "near", "place"),
    [
        ("A cat", "a cat and a cat", (9, 15), (10, 15)),
        ("cat", "a cat and a cat", (0, 1), (2, 5)),
        ("cat", "scatter a cat", (0, 3), (10, 13)),
        ("cat", "scatter", (0, 3), (1, 4)),
    ],
)
def test_where_new_words_stand(text, caption, near, place):
    assert place_of(text, caption, near) == place


def test_export_of_what_was_reviewed(ws, review, tmp_path):
    with pytest.raises(WorkspaceError, match="phrasebox serve"):
        export(ws, tmp_path / "none.jsonl", "odvg", reviewed=True)
    with pytest.raises(SettingsError, match="holds only captions"):
        export(ws, tmp_path / "none.json", "karpathy", reviewed=True)
    review.decide(DOG, "accept", "ann")
    review.decide("1.png#0#13-18", "edit", "ann", box=(20, 0, 40, 20))
    review.decide("1.png#2#4-11", "reject", "ann")
    review.decide(f"{KEYS[1]}#2#4-11", "reject", "ann")
    assert export(ws, tmp_path / "all.jsonl", "odvg").phrases == 7
    assert export(ws, tmp_path / "own.jsonl", "odvg", reviewed=True).phrases == 2
    (only,) = lines(tmp_path / "own.jsonl")
    assert only["filename"] == "1.png"
    assert [(one["phrase"], one["bbox"]) for one in only["grounding"]["regions"]] == [
        ("a dog", [0, 0, 20, 20]),
        ("a cat", [20, 0, 40, 20]),
    ]


def test_each_box_of_a_phrase_is_reviewed_by_itself(ws):
    boxes = Box(0, 0, 20, 20), Box(20, 0, 30, 9), Box(30, 0, 40, 9)
    animals = Phrase("animals", (4, 11), boxes[0], 0.5, 0.25, region=2, further=boxes[1:])
    ws.drop("phrases")
    ws.append_phrases(
        {KEYS[0]: (GroundedCaption(FIRST), GroundedCaption("nothing"), GroundedCaption(SECOND, (animals,)))}
    )
    review = Review(ws)
    records = review.page().phrases
    assert [record.box for record in records] == list(boxes)
    assert [review.phrase(record.id).box for record in records] == list(boxes)
    review.decide(records[1].id, "reject", "Ann")
    review.decide(records[2].id, "accept", "Ann")
    assert [record.state for record in review.page().phrases] == ["open", "rejected", "accepted"]
    ((image,),) = [list(ws.grounded("train"))[:1]]
    assert [(p.boxes, p.reviewed) for p in image.captions[2].phrases] == [((boxes[0],), False), ((boxes[2],), True)]

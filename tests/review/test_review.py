"""Going through the phrases of a workspace: pages, decisions, progress, and what is exported of it."""

from __future__ import annotations

import itertools
import json

import pytest
from PIL import Image

from phrasebox.errors import DataError, NotFoundError, SettingsError, WorkspaceError
from phrasebox.review import ChangedError, PhraseFilter, Review, place_of
from phrasebox.stages.export import export
from phrasebox.types import Box, Caption, Example, GroundedCaption, Phrase, TruePhrase
from phrasebox.workspace.workspace import Workspace

FIRST, SECOND = "a dog beside a cat", "two animals"
KEYS = ("1.png", "in a # folder/2.png", "3.png")
DOG = "1.png#0#0-5"


def phrase(text: str, start: int, end: int, score: float) -> Phrase:
    return Phrase(text[start:end], (start, end), Box(0, 0, 20, 20), score, 0.3, region=2)


@pytest.fixture
def ws(tmp_path) -> Workspace:
    """Three images, the last in another split, and a caption that gave nothing."""
    ws = Workspace.create(tmp_path / "ws")
    for n, key in enumerate(KEYS):
        file = tmp_path / "photos" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 20)).save(file)
        captions = (Caption(FIRST), Caption("nothing"), Caption(SECOND))
        ws.append_images([Example(key, file, captions, "val" if n == 2 else "train")], [(40, 20)])
    for n in (2, 0, 1):  # in another order than they were imported in
        decoded = (
            GroundedCaption(FIRST, (phrase(FIRST, 0, 5, 0.1 * n), phrase(FIRST, 13, 18, 0.5))),
            GroundedCaption("nothing"),
            GroundedCaption(SECOND, (phrase(SECOND, 4, 11, 0.25),)),
        )
        ws.append_phrases({KEYS[n]: decoded})
    return ws


@pytest.fixture
def review(ws) -> Review:
    return Review(ws)


def told(page):
    return [(one.key, one.caption, one.index, one.text) for one in page.phrases]


def test_all_in_the_order_of_images_captions_and_words(review):
    page = review.page()
    each = [(0, 0, "a dog"), (0, 1, "a cat"), (2, 0, "animals")]
    assert told(page) == [(key, *one) for key in KEYS for one in each]
    assert page.total == 9
    parts = [review.page(offset=at, limit=2).phrases for at in range(0, 10, 2)]
    assert tuple(itertools.chain(*parts)) == page.phrases
    first = page.phrases[0]
    assert (first.id, first.state, first.who, tuple(first.box), first.sentence) == (
        DOG,
        "open",
        "",
        (0, 0, 20, 20),
        FIRST,
    )
    assert json.loads(json.dumps(page.to_json()))["phrases"][0]["image"] == "1.png"


FILTERS = {
    "split": (None, "train"),
    "text": (None, "DOG", "%", ""),
    "min_score": (None, 0.2),
    "length": (None, (1, 1)),
    "state": (None, "open", "edited", "rejected"),
    "key": (None, KEYS[1]),
}


def test_filters_are_those_of_a_plain_loop(review):
    review.decide(DOG, "accept", "ann")
    review.decide("1.png#0#13-18", "edit", "ann", text="cat", box=(1, 1, 5, 5))
    review.decide(f"{KEYS[1]}#2#4-11", "reject", "ben")
    everything = review.page(limit=100).phrases
    assert len(everything) == 9
    some = 0
    for values in itertools.product(*FILTERS.values()):
        wanted = dict(zip(FILTERS, values, strict=True))

        def fits(one, split, text, min_score, length, state, key):
            return (
                split in (None, one.split)
                and (not text or text.lower() in one.text.lower())
                and (min_score is None or one.score >= min_score)
                and (length is None or length[0] <= len(one.text.split()) <= length[1])
                and state in (None, one.state)
                and key in (None, one.key)
            )

        expected = [one for one in everything if fits(one, **wanted)]
        page = review.page(PhraseFilter(**wanted))
        assert (list(page.phrases), page.total) == (expected, len(expected)), wanted
        some += bool(expected)
    assert some > 40


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


def test_two_people_in_two_processes(ws, review):
    other = Review(Workspace(ws.path))
    assert other.progress().accepted == 0
    review.decide(DOG, "accept", "ann")
    assert (other.phrase(DOG).who, other.progress().accepted) == ("ann", 1)
    other.decide(DOG, "reject", "ben")
    assert review.phrase(DOG).state == "rejected"
    other.undo("ben")
    assert review.phrase(DOG).who == "ann"


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


def test_a_wholly_new_workspace_has_nothing(tmp_path):
    review = Review(Workspace.create(tmp_path / "new"))
    assert (review.page().total, review.progress().total, review.undo("ann")) == (0, 0, None)


def lines(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


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


def with_confidences(ws) -> Review:
    """The workspace with another confidence for every phrase, 0.05 more from one to the next."""
    ws.drop("phrases")
    for n, key in enumerate(KEYS):
        sure = iter((0.3 * n + 0.1, 0.3 * n + 0.15, 0.3 * n + 0.2))
        texts = ((FIRST, ((0, 5), (13, 18))), ("nothing", ()), (SECOND, ((4, 11),)))
        ws.append_phrases(
            {
                key: tuple(
                    GroundedCaption(
                        text, tuple(Phrase(text[a:b], (a, b), Box(0, 0, 20, 20), 0.5, next(sure)) for a, b in spans)
                    )
                    for text, spans in texts
                )
            }
        )
    return Review(ws)


def test_sorted_by_confidence_with_and_without_decisions(ws):
    review = with_confidences(ws)
    review.decide("in a # folder/2.png#0#0-5", "accept", "ann")
    everything = review.page().phrases
    rising = [one.id for one in sorted(everything, key=lambda one: one.confidence)]
    pages = [review.page(None, at, 4, "confidence").phrases for at in (0, 4, 8)]
    assert [one.id for page in pages for one in page] == rising
    assert [one.id for one in review.page(sort="-confidence").phrases] == rising[::-1]
    wanted = PhraseFilter(min_confidence=0.2, max_confidence=0.5)
    assert [one.id for one in review.page(wanted).phrases] == [one.id for one in everything if wanted.fits(one)]
    assert 0 < review.page(wanted).total < 9


def test_a_bar_counts_what_its_filter_finds(ws):
    review = with_confidences(ws)
    review.decide("1.png#0#0-5", "accept", "ann")
    bars = review.histogram()
    assert (len(bars), sum(bar.count for bar in bars), sum(bar.open for bar in bars)) == (20, 9, 8)
    for bar in bars:
        own = PhraseFilter(min_confidence=bar.low, max_confidence=bar.high)
        assert bar.count == review.page(own).total
        assert bar.open == review.page(PhraseFilter(**{**vars_of(own), "state": "open"})).total


def vars_of(wanted: PhraseFilter) -> dict:
    return {name: getattr(wanted, name) for name in PhraseFilter.__dataclass_fields__}


def test_words_are_counted_as_their_filter_finds_them(ws, review):
    review.decide(DOG, "edit", "ann", text="dog")
    assert review.texts() == {"a dog": 2, "dog": 1, "a cat": 3, "animals": 3}
    assert review.page(PhraseFilter(word="DOG")).total == 3
    assert review.page(PhraseFilter(word="do")).total == 0
    assert review.page(PhraseFilter(unknown=True)).total == 0


def test_pictures_have_all_their_phrases_and_say_which_match(ws):
    review = with_confidences(ws)
    review.decide("1.png#0#0-5", "accept", "ann")
    page = review.pictures(PhraseFilter(text="dog"), sort="-confidence")
    assert (page.total, page.phrases) == (3, 3)
    assert [records[0].key for _, records, _ in page.pictures] == list(KEYS[::-1])
    for captions, records, matching in page.pictures:
        assert (captions[0], len(records), matching) == (FIRST, 3, (records[0].id,))
    second = review.pictures(PhraseFilter(state="open"), 1, 1)
    assert (second.total, second.phrases, second.pictures[0][1][0].key) == (3, 8, KEYS[1])


def test_a_phrase_that_changed_is_not_overwritten(ws, review):
    shown = review.phrase(DOG)
    other = Review(Workspace(ws.path))
    other.decide(DOG, "reject", "ben")
    with pytest.raises(ChangedError, match="changed by ben") as error:
        review.decide(DOG, "accept", "ann", version=shown.version)
    assert (error.value.phrase.who, review.phrase(DOG).state) == ("ben", "rejected")
    assert review.decide(DOG, "accept", "ann", version=error.value.phrase.version).state == "accepted"
    review.undo("ann")
    other.undo("ben")
    assert review.phrase(DOG).version == shown.version  # it is what was shown again


def test_a_decision_sent_twice_is_stored_once(ws, review):
    first = review.decide(DOG, "accept", "ann", decision="one-of-ann")
    assert review.decide(DOG, "accept", "ann", version="an old one", decision="one-of-ann") == first
    assert len(lines(ws.path / "decisions.jsonl")) == 1
    with pytest.raises(DataError, match="another reviewer"):
        review.decide(DOG, "accept", "ben", decision="one-of-ann")
    assert review.undo("ann", "one-of-ann").phrases[0].state == "open"
    assert review.undo("ann", "one-of-ann").phrases[0].state == "open"  # sent again: still undone, and nothing else
    assert len(lines(ws.path / "decisions.jsonl")) == 2


def test_many_at_once_are_undone_at_once_and_done_again(ws):
    review = with_confidences(ws)
    review.decide("1.png#0#13-18", "reject", "ben")
    wanted = PhraseFilter(max_confidence=0.5)
    with pytest.raises(ChangedError, match="4 phrases match by now, not 6") as error:
        review.decide_many("accept", "ann", wanted, count=6)
    assert error.value.count == 4
    done = review.decide_many("accept", "ann", wanted, count=4, decision="many")
    assert (done.count, {one.state for one in done.phrases}, done.decision) == (4, {"accepted"}, "many")
    assert len(lines(ws.path / "decisions.jsonl")) == 2
    after = Review(Workspace(ws.path)).progress()
    assert (after.accepted, after.rejected, after.open) == (4, 1, 4)
    undone = review.undo("ann")
    assert (undone.count, review.progress().accepted, review.progress().rejected) == (4, 0, 1)
    review.decide(DOG, "reject", "ben")  # meanwhile
    again = review.redo("ann")
    assert (again.decision, review.progress().accepted, review.phrase(DOG).who) == ("many", 3, "ben")
    assert review.redo("ann") is None
    review.undo("ann")
    review.decide("3.png#0#0-5", "accept", "ann")
    assert review.redo("ann") is None  # there is a new decision


def test_the_rest_of_a_picture_but_what_changed(ws, review):
    shown = review.page(PhraseFilter(key="1.png")).phrases
    Review(Workspace(ws.path)).decide(DOG, "edit", "ben", text="dog")
    done = review.decide_many("accept", "ann", [(one.id, one.version) for one in shown])
    assert (done.count, done.changed) == (2, (DOG,))
    assert [one.state for one in review.page(PhraseFilter(key="1.png")).phrases] == ["edited", "accepted", "accepted"]
    nothing = review.decide_many("accept", "ann", [("nothing", None)])
    assert (nothing.count, nothing.changed) == (0, ("nothing",))
    with pytest.raises(DataError, match="choose the state open"):
        review.decide_many("accept", "ann", PhraseFilter(state="accepted"))


def test_nobody_takes_back_what_is_anothers(ws, review):
    review.decide(DOG, "accept", "ben", decision="one-of-ben")
    assert review.undo("ann") is None
    with pytest.raises(WorkspaceError, match="only ben can undo it"):
        review.undo("ann", "one-of-ben")
    assert review.phrase(DOG).state == "accepted"


def test_the_pace_is_of_single_decisions(ws, review):
    assert (review.progress().pace, review.progress().minutes_left) == (0.0, None)
    review.decide_many("accept", "ann", PhraseFilter(key="1.png"))
    assert review.progress().pace == 0.0
    review.decide("3.png#0#0-5", "accept", "ann")
    review.decide("3.png#0#13-18", "accept", "ann")
    progress = review.progress()
    assert (progress.pace, progress.minutes_left) == (2.0, 2.0)

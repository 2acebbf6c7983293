"""Going through the phrases of a workspace: order, filters, counts, and one entry a picture."""

from __future__ import annotations

import itertools
import json

from to_review import DOG, FIRST, KEYS

from phrasebox.review import PhraseFilter, Review
from phrasebox.workspace.workspace import Workspace


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


def test_a_wholly_new_workspace_has_nothing(tmp_path):
    review = Review(Workspace.create(tmp_path / "new"))
    assert (review.page().total, review.progress().total, review.undo("ann")) == (0, 0, None)


def test_sorted_by_confidence_with_and_without_decisions(sure):
    sure.decide("in a # folder/2.png#0#0-5", "accept", "ann")
    everything = sure.page().phrases
    rising = [one.id for one in sorted(everything, key=lambda one: one.confidence)]
    pages = [sure.page(None, at, 4, "confidence").phrases for at in (0, 4, 8)]
    assert [one.id for page in pages for one in page] == rising
    assert [one.id for one in sure.page(sort="-confidence").phrases] == rising[::-1]
    wanted = PhraseFilter(min_confidence=0.2, max_confidence=0.5)
    assert [one.id for one in sure.page(wanted).phrases] == [one.id for one in everything if wanted.fits(one)]
    assert 0 < sure.page(wanted).total < 9


def test_a_bar_counts_what_its_filter_finds(sure):
    sure.decide("1.png#0#0-5", "accept", "ann")
    bars = sure.histogram()
    assert (len(bars), sum(bar.count for bar in bars), sum(bar.open for bar in bars)) == (20, 9, 8)
    for bar in bars:
        own = PhraseFilter(min_confidence=bar.low, max_confidence=bar.high)
        assert bar.count == sure.page(own).total
        assert bar.open == sure.page(PhraseFilter(**{**vars_of(own), "state": "open"})).total


def vars_of(wanted: PhraseFilter) -> dict:
    return {name: getattr(wanted, name) for name in PhraseFilter.__dataclass_fields__}


def test_words_are_counted_as_their_filter_finds_them(ws, review):
    review.decide(DOG, "edit", "ann", text="dog")
    assert review.texts() == {"a dog": 2, "dog": 1, "a cat": 3, "animals": 3}
    assert review.page(PhraseFilter(word="DOG")).total == 3
    assert review.page(PhraseFilter(word="do")).total == 0
    assert review.page(PhraseFilter(unknown=True)).total == 0


def test_pictures_have_all_their_phrases_and_say_which_match(sure):
    sure.decide("1.png#0#0-5", "accept", "ann")
    page = sure.pictures(PhraseFilter(text="dog"), sort="-confidence")
    assert (page.total, page.phrases) == (3, 3)
    assert [records[0].key for _, records, _ in page.pictures] == list(KEYS[::-1])
    for captions, records, matching in page.pictures:
        assert (captions[0], len(records), matching) == (FIRST, 3, (records[0].id,))
    second = sure.pictures(PhraseFilter(state="open"), 1, 1)
    assert (second.total, second.phrases, second.pictures[0][1][0].key) == (3, 8, KEYS[1])

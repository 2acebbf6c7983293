"""What goes into a training, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phrasebox.captioner import Corpus, TrainSettings
from phrasebox.captioner.corpus import Ingredients, OtherView, choose_phrases
from phrasebox.types import Box, Phrase, Regions

BOXES = np.array([[0, 0, 100, 100], [0, 0, 50, 100], [50, 0, 100, 100]], np.float32)
REGIONS = Regions(BOXES, np.ones(3, np.float32), 100, 100, np.zeros((3, 4), np.float16), "k")
LEFT, WHOLE = Box(0, 0, 50, 100), Box(0, 0, 100, 100)


def phrase(text, box=LEFT, confidence=0.9, region=1, whole=False):
    return Phrase(text, (0, len(text)), box, 0.5, confidence, whole, region)


def test_phrases_are_filtered_joined_and_weighted():
    given = [
        phrase("The dog"),
        phrase("the dog !", confidence=0.5),
        phrase("a cat", confidence=0.1),
        phrase("a park", WHOLE, region=0, whole=True),
        phrase("running"),
        phrase("two legs", Box(48, 0, 100, 100), confidence=0.45, region=-1),
    ]
    settings = TrainSettings(min_confidence=0.3, phrase_weight=2.0)
    usual = {"The dog": 0.9, "the dog !": 0.9, "two legs": 0.3}
    chosen, left_out = choose_phrases(REGIONS, given, settings, usual)
    assert [(region, text) for region, text, _ in chosen] == [(1, "the dog"), (2, "two legs")]
    assert sum(weight for _, _, weight in chosen) == pytest.approx(2.0)
    assert 1.5 * chosen[0][2] == pytest.approx(chosen[1][2])  # surer than legs usually are
    assert left_out == Ingredients(doubtful=1, about_the_whole=1, of_no_thing=1, repeated=1)


@pytest.mark.parametrize(
    ("data", "sentences", "line"),
    [
        ("both", 12, "4 pairs became 12: 4 captions and 8 region phrases of 4 images"),
        ("images", 4, "4 pairs became 4: 4 captions and 0 region phrases of 4 images"),
        ("regions", 8, "4 pairs became 8: 0 captions and 8 region phrases of 4 images"),
    ],
)
def test_any_mix(data, sentences, line, world):
    regions, captions, phrases = world(4, 0)
    corpus = Corpus.gather([[r] for r in regions], captions, phrases, TrainSettings(data=data, reward_epochs=0))
    assert len(corpus.texts) == sentences
    assert corpus.ingredients.line(4) == line
    assert np.all(np.diff(corpus.image) >= 0)


def test_an_image_with_neither_is_left_out(world):
    regions, captions, _ = world(3, 0)
    del captions["1"]
    corpus = Corpus.gather([regions], captions, {}, TrainSettings())
    assert len(corpus) == 2
    assert corpus.references() == [captions["0"], captions["2"]]


def test_an_epoch_shows_everything_once(corpus):
    lessons = corpus(7, seed=0)
    shown = [rows for _, rows, _ in lessons.batches(3, np.random.default_rng(0))]
    assert sorted(np.concatenate(shown).tolist()) == list(range(len(lessons.texts)))


def test_other_views_show_what_is_said_of_whole_images(corpus):
    lessons = corpus(40, seed=0)
    seen = replace(lessons, others=(OtherView(lessons.regions, lessons.texts),) * 2)
    batches = list(seen.batches(2, np.random.default_rng(0)))
    assert sorted(np.concatenate([images for images, _, _ in batches]).tolist()) == list(range(40))
    assert {view for _, _, view in batches} == {0, 1, 2}
    for images, rows, view in batches:
        assert set(seen.image[rows].tolist()) == set(images.tolist())
        assert set(seen.focus[rows].tolist()) == ({0} if view else {0, 1, 2})


def test_where_nothing_is_said_of_whole_images_they_are_seen_themselves(corpus):
    lessons = corpus(7, seed=0, data="regions")
    seen = replace(lessons, others=(OtherView(lessons.regions, lessons.texts),))
    shown = list(seen.batches(3, np.random.default_rng(0)))
    assert [view for _, _, view in shown] == [0, 0, 0]
    assert sorted(np.concatenate([rows for _, rows, _ in shown]).tolist()) == list(range(len(lessons.texts)))

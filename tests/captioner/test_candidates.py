"""Captions to choose from, with words that no training caption had."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phrasebox.captioner import CaptionerModel, ModelSettings, SpeechSettings, Views, Vocabulary
from phrasebox.captioner.candidates import Prompted, names_twice
from phrasebox.captioner.generate import generate
from phrasebox.captioner.seen import Seen
from phrasebox.text.vocabulary import FIRST
from phrasebox.training.region_batch import collate
from phrasebox.types import Regions

NOUNS = {"zebra": "zebra", "coffee mug": "mug", "dog": "dog", "hotdog": "hot dog"}
SPEECH = SpeechSettings(beam=3, max_length=6)


@pytest.fixture(scope="module")
def prompted():
    torch.manual_seed(0)
    vocabulary = Vocabulary(("a", "dog", "horse", "stands", "on", "grass"))
    model = CaptionerModel(ModelSettings(vector_dim=8, dim=16, embed=16), len(vocabulary)).eval()
    return model, vocabulary, Prompted.of(model, vocabulary, NOUNS)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    boxes = np.array([[0, 0, 9, 9], [0, 0, 5, 9]], np.float32)
    return [Regions(boxes, np.ones(2, np.float32), 9, 9, rng.normal(size=(2, 8)).astype(np.float16)) for _ in range(2)]


def beam(prompted, images):
    """The sentences of the beam alone, of each image."""
    model, vocabulary, _ = prompted
    views = Views.whole(collate(images)).to("cpu")
    wide = SpeechSettings(beam=3, count=3, max_length=6)
    repeatable, common = torch.from_numpy(vocabulary.repeatable()), torch.from_numpy(vocabulary.commonness())
    return generate(model, views, wide, repeatable, common=common)


def test_what_is_seen_is_said_in_one_of_them(prompted, images):
    _, vocabulary, found = prompted
    plain, zebra = found.candidates(images, [(), (Seen("zebra", 0.9, False), Seen("dog", 0.5, True))], SPEECH)
    assert len(plain) == SPEECH.beam
    assert not any("zebra" in text for text, _ in plain)
    (text,) = [text for text, _ in zebra if "zebra" in text.split()]
    assert "zebra" not in vocabulary.terms
    assert text
    assert len({text for text, _ in zebra}) == len(zebra) <= SPEECH.beam + 2


def test_without_anything_seen_they_are_those_of_the_beam(prompted, images):
    _, vocabulary, found = prompted
    for own, sentences in zip(found.candidates(images, [(), ()], SPEECH), beam(prompted, images), strict=True):
        once = [s for s in sentences if not names_twice(vocabulary.sentence(s.words))] or sentences
        assert [s.words for _, s in own] == [s.words for s in once]
        np.testing.assert_allclose([s.score for _, s in own], [s.score for s in once], rtol=1e-5)


def test_what_names_a_thing_twice_is_left_out_where_others_remain(prompted, images, monkeypatch):
    _, _, found = prompted
    texts = [text for text, _ in found.candidates(images[:1], [()], SPEECH)[0]]
    for twice, kept in ((texts[:1], texts[1:]), (texts, texts)):
        monkeypatch.setattr("phrasebox.captioner.candidates.names_twice", lambda text, twice=twice: text in twice)
        assert [text for text, _ in found.candidates(images[:1], [()], SPEECH)[0]] == kept


def test_an_image_has_the_same_ones_alone_and_beside_others(prompted, images):
    _, _, found = prompted
    both = found.candidates(images, [(), (Seen("dog", 0.5, True),)], SPEECH)
    alone = found.candidates(images[1:], [(Seen("dog", 0.5, True),)], SPEECH)[0]
    assert [text for text, _ in both[1]] == [text for text, _ in alone]
    again = found.candidates(images, [(), (Seen("dog", 0.5, True),)], SPEECH)
    assert again == both


def test_a_name_stands_for_its_noun_and_nothing_of_nothing(prompted, images):
    _, _, found = prompted
    terms = found.vocabulary.terms
    assert {name: terms[i - FIRST] for name, i in found.words.items()} == NOUNS
    texts = [text for text, _ in found.candidates(images[:1], [(Seen("coffee mug", 0.9, False),)], SPEECH)[0]]
    assert any("mug" in text.split() for text in texts)
    assert found.candidates([], [], SPEECH) == []


def test_an_unknown_noun_has_the_right_article(images, monkeypatch):
    monkeypatch.setattr("phrasebox.captioner.candidates.names_twice", lambda text: False)  # as untrained weights do
    torch.manual_seed(0)
    vocabulary = Vocabulary(("a", "dog", "on"))
    model = CaptionerModel(ModelSettings(vector_dim=8, dim=16, embed=16), len(vocabulary)).eval()
    with torch.no_grad():
        model.bias[FIRST] += 9  # "a" wherever it may stand
    found = Prompted.of(model, vocabulary, {"elephant": "elephant"})
    texts = [text for text, _ in found.candidates(images[:1], [(Seen("elephant", 0.9, False),)], SPEECH)[0]]
    said = [text for text in texts if "elephant" in text]
    assert said
    assert any("an elephant" in text for text in said)
    assert not any("a elephant" in text for text in texts)

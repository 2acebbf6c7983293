"""Captions to choose from, with words that no training caption had."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phrasebox.aligner.priors import ClassNames
from phrasebox.captioner import CaptionerModel, ModelSettings, SpeechSettings, Views, Vocabulary
from phrasebox.captioner.candidates import Prompted
from phrasebox.captioner.generate import generate
from phrasebox.captioner.seen import Seen
from phrasebox.regions.backbones.classifier import Classifier
from phrasebox.training.region_batch import collate
from phrasebox.types import Regions

NAMES = (("zebra",), ("coffee mug", "cup"), ("dog",))
SPEECH = SpeechSettings(beam=3, max_length=6)


@pytest.fixture(scope="module")
def prompted():
    torch.manual_seed(0)
    vocabulary = Vocabulary(("a", "dog", "horse", "stands", "on", "grass", "cup"))
    model = CaptionerModel(ModelSettings(vector_dim=8, dim=16, embed=16), len(vocabulary)).eval()
    names = ClassNames([Classifier(lambda vectors: vectors, len(NAMES), NAMES)])
    return model, vocabulary, Prompted.of(model, vocabulary, names)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    boxes = np.array([[0, 0, 9, 9], [0, 0, 5, 9]], np.float32)
    return [Regions(boxes, np.ones(2, np.float32), 9, 9, rng.normal(size=(2, 8)).astype(np.float16)) for _ in range(2)]


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
    model, vocabulary, found = prompted
    views = Views.whole(collate(images)).to("cpu")
    wide = SpeechSettings(beam=3, count=3, max_length=6)
    wanted = generate(model, views, wide, torch.from_numpy(vocabulary.repeatable()))
    for own, sentences in zip(found.candidates(images, [(), ()], SPEECH), wanted, strict=True):
        assert [s.words for _, s in own] == [s.words for s in sentences]
        np.testing.assert_allclose([s.score for _, s in own], [s.score for s in sentences], rtol=1e-5)


def test_every_name_of_a_class_will_do_and_nothing_of_nothing(prompted):
    _, _, found = prompted
    terms = found.vocabulary.terms
    assert [terms[i - 3] for i in found.words["coffee mug"]] == ["mug", "cup"]
    assert found.candidates([], [], SPEECH) == []

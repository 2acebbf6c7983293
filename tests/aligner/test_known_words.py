"""Words that neither captions nor class names know, and the phrases of such words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.aligner.known_words import FREQUENT, SELDOM, KnownWords
from phrasebox.aligner.priors import ClassNames
from phrasebox.regions.backbones.classifier import Classifier
from phrasebox.regions.settings import RegionSettings
from phrasebox.types import Regions

NAMES = (("dog",), ("pizza",))
CAPTION = "A puppy beside the theorem and a monday"
BOXES = np.array([[0, 0, 100, 100], [0, 0, 50, 50], [40, 40, 90, 90]], np.float32)
REGIONS = Regions(BOXES, np.ones(3, np.float32), 100, 100, np.eye(3, 2, dtype=np.float16))


@pytest.fixture(autouse=True)
def classes(monkeypatch):
    names = ClassNames([Classifier(lambda vectors: 4 * vectors, len(NAMES), NAMES)])
    monkeypatch.setattr("phrasebox.aligner.stored_aligner.load_prior", lambda settings, source: names)
    return names


@pytest.fixture
def aligner():
    torch.manual_seed(0)
    model = AlignerModel(ModelSettings(vector_dim=len(NAMES), dim=8, hidden=8)).eval()
    return Aligner(model, RegionSettings(), vocabulary=("a", "the", "monday"))


def unknown(aligner):
    spans = [(0, 7), (15, 26), (31, 39), (2, 26)]
    return [phrase.unknown for phrase in aligner.ground(REGIONS, CAPTION, spans=spans).phrases]


def test_a_phrase_is_unknown_if_no_content_word_is_known(aligner):
    assert unknown(aligner) == [False, True, False, False]  # puppy by the name dog, monday by the captions


def test_without_class_names_the_captions_alone_know(aligner):
    assert unknown(replace(aligner, prior_weight=0.0)) == [True, True, False, True]


def test_nothing_is_unknown_to_a_model_without_its_vocabulary(aligner):
    assert unknown(replace(aligner, vocabulary=None)) == [False] * 4


def test_knowledge_of_words(classes):
    words = ["Monday", "theorem", "dog"]
    known = KnownWords.of(["the", "monday"], classes)
    assert known.rarity(["The", *words]).tolist() == pytest.approx(np.log([1, 2, 3, 3]).tolist())
    assert known.in_captions(words).tolist() == [True, False, False]
    assert known.nearest_name(words).tolist() == pytest.approx(classes.words(words).max(1).values.tolist())
    assert known.known(words).tolist() == [True, False, True]
    assert known.known([]).tolist() == []


def test_the_vocabulary_is_saved_with_the_model(aligner, tmp_path):
    aligner.save(tmp_path / "with")
    assert Aligner.load(tmp_path / "with").vocabulary == aligner.vocabulary
    replace(aligner, vocabulary=None).save(tmp_path / "without")
    assert Aligner.load(tmp_path / "without").vocabulary is None


def test_the_built_in_model_knows_the_words_of_its_captions():
    built_in = Aligner.load()
    assert len(built_in.vocabulary) == built_in.about["vocabulary"]
    assert built_in.known_words.in_captions(["frisbee", "saucer"]).tolist() == [True, False]


def test_rareness_of_words():
    known = KnownWords.of([f"w{i}" for i in range(700)], None)
    low, middle, high, missing = known.rareness([f"w{FREQUENT}", "w300", f"w{SELDOM}", "theorem"])
    assert (low, high, missing) == (0, 1, 1)
    assert 0 < middle < 1
    assert KnownWords.of(["a"], None).rareness(["a", "b"]).tolist() == [0, 1]

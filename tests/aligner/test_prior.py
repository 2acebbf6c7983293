"""An aligner whose scores have the class names beside them, and one that has nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from phrasebox.aligner import Aligner, AlignerModel, Bank, ModelSettings, Pairs
from phrasebox.aligner.priors import CAP, ClassNames, prior_table, saturated
from phrasebox.aligner.score import EXPLAINED, explained
from phrasebox.aligner.train import ranking_scores
from phrasebox.errors import ModelError
from phrasebox.grounding import assigned
from phrasebox.regions.backbones.classifier import Classifier
from phrasebox.regions.settings import RegionSettings
from phrasebox.types import Regions

NAMES = (("dog",), ("cat",), ("pizza",), ("bicycle",))
SENTENCES = ["a dog beside a cat", "pizza", "the man rides his bike"]


@pytest.fixture(autouse=True)
def classes(monkeypatch):
    known = ClassNames([Classifier(lambda vectors: 4 * vectors, len(NAMES), NAMES)])
    monkeypatch.setattr("phrasebox.aligner.stored_aligner.load_prior", lambda settings, source: known)
    return known


@pytest.fixture
def aligner():
    torch.manual_seed(0)
    return Aligner(AlignerModel(ModelSettings(vector_dim=len(NAMES), dim=8, hidden=8)).eval(), RegionSettings())


def regions_of(seed: int) -> Regions:
    rng = np.random.default_rng(seed)
    count = 3 + seed % 3
    low = rng.uniform(0, 50, (count, 2))
    boxes = np.concatenate([low, low + 40], 1).astype(np.float32)
    boxes[0] = 0, 0, 100, 100
    vectors = rng.standard_normal((count, len(NAMES))).astype(np.float16)
    return Regions(boxes, np.ones(count, np.float32), 100, 100, vectors, str(seed))


IMAGES = [regions_of(seed) for seed in range(4)]


def test_the_score_is_the_mean_over_words_of_the_best_sum(aligner, classes):
    without = replace(aligner, prior_weight=0.0)
    slow = np.zeros((len(IMAGES), len(SENTENCES)))
    for column, sentence in enumerate(aligner.words.encode(SENTENCES)):
        words = [word.text for word in sentence.words]
        for k, regions in enumerate(IMAGES):
            learned = without.word_scores([regions], [sentence])[0]
            weights = aligner.prior.weights(words)[:, None]
            slow[k, column] = (learned + weights * prior_table(classes, regions, words)).max(1).mean()
    np.testing.assert_allclose(aligner.score(IMAGES, SENTENCES), slow, rtol=1e-3, atol=1e-4)
    assert not np.allclose(without.score(IMAGES, SENTENCES), slow, atol=1e-2)


def test_a_grounding_keeps_learned_and_prior_apart(aligner, classes):
    found = aligner.ground(IMAGES[0], SENTENCES[0])
    learned = replace(aligner, prior_weight=0.0).ground(IMAGES[0], SENTENCES[0])
    words = [word.text for word in found.words]
    np.testing.assert_allclose(found.scores, learned.scores, atol=1e-6)
    own = aligner.prior.weights(words)[:, None] * prior_table(classes, IMAGES[0], words)
    np.testing.assert_allclose(found.prior, saturated(own), atol=1e-5)
    assert CAP * 0.5 < found.prior.max() <= min(CAP, own.max())
    assert found.score == pytest.approx(float(found.total.max(1).mean()), abs=1e-5)
    assert learned.prior is None
    assert learned.total is learned.scores


def test_decoding_again_reads_the_same_sum(aligner):
    found = aligner.ground(IMAGES[1], SENTENCES[0], beta=0.0)
    again = aligner.decoded_again(found, 0.0)
    assert again.assignment.tolist() == assigned(found.words, again.phrases, found.total.argmax(1)).tolist()


def test_the_bank_compares_what_was_learned(aligner):
    sentences = aligner.words.encode(SENTENCES)
    pairs = Pairs.gather([IMAGES[:3]], {str(i): [s] for i, s in enumerate(sentences)})
    aligner.bank = Bank.draw(aligner.model, pairs)
    without = replace(aligner, prior_weight=0.0)
    taken = [one.score(IMAGES, SENTENCES) - one.score(IMAGES, SENTENCES, calibrated=True) for one in (aligner, without)]
    np.testing.assert_allclose(*taken, atol=1e-4)
    together = ranking_scores(aligner.model, pairs, aligner.bank, aligner.prior)
    np.testing.assert_allclose(together.calibrated, aligner.score(IMAGES[:3], SENTENCES, calibrated=True), atol=1e-4)
    np.testing.assert_allclose(together.plain, aligner.score(IMAGES[:3], SENTENCES), atol=1e-4)
    v, mask = aligner.embed_regions(IMAGES[:3])
    told = explained(v, *aligner.embed_words(sentences), mask).numpy()
    np.testing.assert_allclose(together.explaining - together.calibrated, EXPLAINED * told, atol=1e-4)


def test_dot_products_have_no_prior_unless_asked_for(aligner):
    plain = replace(aligner, model=AlignerModel(replace(aligner.model.settings, normalise=False)).eval())
    assert plain.prior is None
    assert replace(plain, prior_weight=1.0).prior is not None


def test_vectors_of_another_width_have_none():
    model = AlignerModel(ModelSettings(vector_dim=6, dim=8, hidden=8)).eval()
    assert Aligner(model, RegionSettings()).prior is None


def test_names_alone_are_an_aligner(classes):
    alone = Aligner.load("names")
    dog = replace(IMAGES[0], vectors=np.eye(4, dtype=np.float16)[[0, 1, 2]] * 4)
    found = alone.ground(dog, "a dog beside a cat", spans=[(0, 5)])
    assert not found.scores.any()
    assert found.norms is None
    assert found.total[1].argmax() == 0
    assert found.total[4].argmax() == 1
    cat = replace(dog, vectors=np.eye(4, dtype=np.float16)[[1, 1, 1]] * 4)
    scores = alone.score([dog, cat], ["the dog", "the cat"])
    assert scores[0, 0] > scores[1, 0]
    assert (alone.source, alone.bank) == ("names", None)


def test_names_need_a_classifier(monkeypatch):
    monkeypatch.setattr("phrasebox.aligner.stored_aligner.load_prior", lambda settings, source: None)
    with pytest.raises(ModelError, match="no classifier with names"):
        Aligner.load("names")

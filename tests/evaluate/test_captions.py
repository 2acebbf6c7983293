"""Metrics of captions: they are those of pycocoevalcap, and missing Java is told."""

from __future__ import annotations

import random

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from phrasebox.errors import DataError
from phrasebox.evaluate.captions import BLEU, SCORES, caption_scores, captions_table
from phrasebox.evaluate.cider import CiderD
from phrasebox.evaluate.neighbours import nearest
from phrasebox.text.ptb import ptb_tokens


@pytest.fixture(scope="module")
def said():
    """Captions and five references of forty images, of few words so that they agree now and then."""
    rng = random.Random(0)
    words = ["a", "the", "dog", "cat", "man", "runs", "sits", "on", "grass", "red", "ball", "boat's", "t-shirt"]

    def sentence():
        return " ".join(rng.choices(words, k=rng.randint(2, 12))).capitalize() + " ."

    references = [[sentence() for _ in range(5)] for _ in range(40)]
    captions = [rng.choice(r) if rng.random() < 0.3 else sentence() for r in references]
    return captions, references


def test_numbers_are_those_of_pycocoevalcap(said):
    captions, references = said
    truth = {i: [" ".join(ptb_tokens(text)) for text in texts] for i, texts in enumerate(references)}
    results = {i: [" ".join(ptb_tokens(text))] for i, text in enumerate(captions)}
    found = caption_scores(captions, references).values
    expected = dict(zip(BLEU, Bleu(4).compute_score(truth, results, verbose=0)[0], strict=True))
    expected |= {"ROUGE-L": Rouge().compute_score(truth, results)[0]}
    expected |= {"CIDEr-D": Cider().compute_score(truth, results)[0]}
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name] == pytest.approx(100 * value, abs=1e-6)


def test_the_reward_of_training_is_the_same_cider_d(said):
    captions, references = said
    truth = {i: [" ".join(ptb_tokens(text)) for text in texts] for i, texts in enumerate(references)}
    results = {i: [" ".join(ptb_tokens(text))] for i, text in enumerate(captions)}
    expected = Cider().compute_score(truth, results)[1]
    scorer = CiderD([[text.split() for text in texts] for texts in truth.values()])
    found = [scorer.score(i, results[i][0].split()) for i in results]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_what_is_new_and_how_varied():
    found = caption_scores(["A dog .", "a cat sits"], [["a dog"], ["the cat"]], training=["a DOG", "nothing"])
    assert (found.novelty, found.vocabulary, found.length) == (50.0, 4, 2.5)
    assert caption_scores(["a dog"], [["a dog"]]).novelty is None


def test_one_item_has_no_cider():
    assert "CIDEr-D" not in caption_scores(["a dog"], [["a dog"]]).values


def test_without_java_the_reason_is_told(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    found = caption_scores(["a dog", "a cat"], [["a dog"], ["a cat"]], java=True)
    assert found.missing == {"METEOR": "Java is not installed", "SPICE": "Java is not installed"}


def test_a_java_program_that_fails_is_told(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: "/bin/java")
    monkeypatch.setattr("pycocoevalcap.meteor.meteor.METEOR_JAR", "absent.jar")
    found = caption_scores(["a dog", "a cat"], [["a dog"], ["a cat"]], java=True)
    assert found.missing["METEOR"].startswith("METEOR's Java program failed")


@pytest.mark.parametrize(
    ("captions", "references"), [([], []), (["a"], []), (["a", "b"], [["a"], []])], ids=["nothing", "fewer", "empty"]
)
def test_what_cannot_be_measured(captions, references):
    with pytest.raises(DataError, match="one caption and at least one reference"):
        caption_scores(captions, references)


def test_the_table_has_a_row_a_method(said, monkeypatch):
    quick = captions_table("captions", "val", 0, "images", {"generator": caption_scores(*said)})
    assert quick.columns == (*SCORES[:-2], "novelty", "vocabulary", "length"), "what was not asked for is not shown"
    monkeypatch.setattr("shutil.which", lambda name: None)
    scores = caption_scores(*said, training=[], java=True)
    table = captions_table("captions", "val", 0, "images", {"generator": scores})
    assert table.columns == (*SCORES, "novelty", "vocabulary", "length")
    assert table.rows[0].counts == (40,)
    assert table.rows[0].values[SCORES.index("SPICE")] is None
    assert "| generator | 40 |" in table.to_markdown()


def test_the_nearest_is_the_one_of_the_largest_cosine():
    rng = np.random.default_rng(0)
    vectors, training = rng.normal(size=(30, 8)), rng.normal(size=(50, 8)).astype(np.float16)
    cosines = vectors @ training.T / np.linalg.norm(vectors, axis=1)[:, None] / np.linalg.norm(training, axis=1)
    assert nearest(vectors, training).tolist() == cosines.argmax(1).tolist()

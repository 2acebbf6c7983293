from __future__ import annotations

import numpy as np
import pytest
import torch

from phrasebox.aligner.priors import RARE, ClassNames, Weighted, load_class_names, prior_table
from phrasebox.aligner.priors import class_names as module
from phrasebox.regions.backbones.classifier import Classifier
from phrasebox.regions.settings import RegionSettings
from phrasebox.types import Regions

NAMES = (("dog", "domestic dog"), ("cat",), ("pizza", "pizza pie"))


def classifier(names=NAMES, scale=8.0):
    """One whose vectors are its logits over ``scale``."""
    return Classifier(lambda vectors: scale * vectors, len(names), names)


@pytest.fixture(scope="module")
def prior():
    return ClassNames([classifier()])


def regions_of(vectors) -> Regions:
    boxes = np.tile(np.array([[0, 0, 9, 9]], np.float32), (len(vectors), 1))
    return Regions(boxes, np.ones(len(vectors), np.float32), 9, 9, np.asarray(vectors, np.float16))


def test_a_name_points_at_the_regions_of_its_class(prior):
    table = prior_table(prior, regions_of(np.eye(3)), ["Dog", "cat", "pizza", "the"])
    assert table.shape == (4, 3)
    assert table.argmax(1).tolist()[:3] == [0, 1, 2]
    assert not table[3].any()  # a function word


def test_a_word_that_is_near_a_name_points_there_too(prior):
    table = prior_table(prior, regions_of(np.eye(3)), ["puppy", "kitten", "food"])
    assert table.argmax(1).tolist() == [0, 1, 2]


def test_the_table_is_the_sum_over_classes(prior):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((5, 3)).astype(np.float16)
    words = ["dogs", "pie", "of"]
    logits = 8 * vectors.astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    related = prior.words(words).numpy()
    slow = [[sum(p[i, c] * related[t, c] for c in range(3)) for i in range(5)] for t in range(3)]
    np.testing.assert_allclose(prior_table(prior, regions_of(vectors), words), slow, rtol=1e-3, atol=1e-5)


def test_images_in_a_batch_are_read_as_one_by_one(prior):
    vectors = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    together = prior.regions(vectors)
    assert together.shape == (2, 4, prior.width)
    torch.testing.assert_close(together[1], prior.regions(vectors[1]))


def test_two_networks_give_the_mean_of_their_logits():
    both = ClassNames([classifier(), classifier(scale=2.0)])
    vectors = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    expected = ((8 * vectors[:, :3] + 2 * vectors[:, 3:]) / 2).softmax(1)
    torch.testing.assert_close(both.probabilities(vectors), expected)
    assert both.widths == (3, 3)


def test_a_weighted_prior_adds_to_learned_products(prior):
    v, s = torch.randn(5, 4), torch.randn(2, 4)
    vectors, words = torch.eye(3)[[0, 1, 2, 0, 1]], ["dog", "runs"]
    both = Weighted(prior, 0.5)
    joined = both.beside_words(s, words) @ both.beside_regions(v, vectors).T
    table = prior_table(prior, regions_of(vectors), words)
    torch.testing.assert_close(joined, s @ v.T + 0.5 * torch.from_numpy(table), rtol=1e-3, atol=1e-3)


def test_the_prior_counts_for_more_where_the_captions_taught_little(prior):
    v, s = torch.zeros(5, 4), torch.zeros(2, 4)
    vectors, words = torch.eye(3)[[0, 1, 2, 0, 1]], ["dog", "cat"]
    both = Weighted(prior, 0.5, lambda words: np.array([0.0 if word == "dog" else 0.5 for word in words]))
    joined = (both.beside_words(s, words) @ both.beside_regions(v, vectors).T).numpy()
    table = prior_table(prior, regions_of(vectors), words)
    weights = np.array([0.5, 0.5 * (1 + 0.5 * RARE)])
    np.testing.assert_allclose(joined, weights[:, None] * table, rtol=1e-3, atol=1e-3)


def test_no_words_are_no_rows(prior):
    assert prior.words([]).shape == (0, prior.width)


def test_another_list_of_classes_is_another_prior(prior):
    assert ClassNames([classifier(NAMES[:2])]).fingerprint != prior.fingerprint


def test_the_user_s_vectors_have_no_classes():
    assert load_class_names(RegionSettings(backbone="given", rank="proposer")) is None


def test_networks_of_different_classes_have_no_common_prior(monkeypatch):
    found = {"one": classifier(), "two": classifier(NAMES[:2]), "none": None}
    monkeypatch.setattr("phrasebox.aligner.priors.class_names.load_classifier", found.get)
    assert load_class_names(RegionSettings(backbone="one")).widths == (3,)
    assert load_class_names(RegionSettings(backbone="one", second="one")).widths == (3, 3)
    assert load_class_names(RegionSettings(backbone="one", second="two")) is None
    assert load_class_names(RegionSettings(backbone="one", second="none")) is None


def test_names_are_encoded_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = module.name_vectors(NAMES)
    monkeypatch.setattr("phrasebox.aligner.priors.class_names.text_vectors", None)
    torch.testing.assert_close(module.name_vectors(NAMES), first)


def test_a_damaged_copy_of_the_names_is_replaced(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = module.name_vectors(NAMES)
    [copy] = (tmp_path / "phrasebox" / "names").iterdir()
    copy.write_bytes(b"damaged")
    torch.testing.assert_close(module.name_vectors(NAMES), first)
    assert copy.stat().st_size > 100


def test_a_word_of_another_script_is_near_no_name(prior):
    assert prior.words(["小狗", "كلب"]).count_nonzero() == 0

"""What the backbones' classifiers see beside what the captioner says."""

from __future__ import annotations

import numpy as np
import pytest

from phrasebox.aligner.priors import ClassNames
from phrasebox.captioner.seen import LEAST, kinds
from phrasebox.regions.backbones.classifier import Classifier
from phrasebox.types import Regions

NAMES = (("tabby", "tabby cat"), ("espresso",), ("Siamese cat", "Siamese"), ("tench",))
TERMS = ("a", "dog", "cat", "coffee")


@pytest.fixture(scope="module")
def classes():
    return kinds(ClassNames([Classifier(lambda vectors: vectors, len(NAMES), NAMES)]), TERMS)


def regions(*logits, boxes=None):
    boxes = np.tile(np.array([0, 0, 8, 8], np.float32), (len(logits), 1)) if boxes is None else np.float32(boxes)
    return Regions(boxes, np.ones(len(logits), np.float32), 8, 8, np.array(logits, np.float16), "one")


def test_classes_have_everyday_nouns_which_the_captioner_may_know(classes):
    assert classes.nouns == ("cat", "coffee", "tench")
    assert classes.labels == ("cat", "coffee", "tench")
    assert classes.known == (True, True, False)
    assert classes.of_class.tolist() == [0, 1, 0, 2]


def test_the_probabilities_of_the_classes_of_a_noun_add_up(classes):
    shares = classes.look(regions([0, 0, 0, 0], [9, 0, 9, 0])).shares
    np.testing.assert_allclose(shares, [[0.5, 0.25, 0.25], [1, 0, 0]], atol=1e-3)


def test_a_large_region_counts_for_more_than_a_small_one(classes):
    places = [[0, 0, 8, 8], [0, 0, 8, 7], [0, 0, 2, 2]]
    found = classes.look(regions([0, 0, 0, 0], [9, 0, 0, 0], [0, 9, 0, 0], boxes=places)).seen(least=0)
    assert [one.name for one in found] == ["cat", "coffee", "tench"]
    assert found[0].share > found[1].share > found[2].share


def test_what_is_nearly_everywhere_is_seen(classes):
    (only,) = classes.look(regions([0, 0, 0, 9], [0, 0, 0, 9])).seen()
    assert (only.name, only.known) == ("tench", False)
    assert LEAST < only.share < 1


def test_an_unsure_classifier_sees_nothing(classes):
    shares = {one.name: one.share for one in classes.look(regions([0, 0, 0, 0])).seen(least=0)}
    assert shares["tench"] == shares["coffee"] < LEAST  # each one class of four


def test_a_region_is_seen_by_itself(classes):
    both = regions([0, 9, 0, 0], [2, 1, 0, 0])
    shares = classes.look(both).shares
    found = classes.look(both).seen(view=1, least=0.2, most=3)
    assert [(s.name, s.share) for s in found] == [
        ("cat", pytest.approx(shares[1, 0])),
        ("coffee", pytest.approx(shares[1, 1])),
    ]


def test_words_name_a_noun_by_any_name_of_its_classes(classes):
    assert classes.named(["Two", "tabbies", "sleep"]).tolist() == [True, False, False]
    assert classes.named(["coffee", "tench"]).tolist() == [False, True, True]
    assert not classes.named(["man", ""]).any()


def test_a_noun_of_one_class_is_shown_with_the_words_before_it():
    names = (("toilet seat",), ("soccer ball",), ("golf ball",), ("Band Aid",), ("pajama", "pyjama"))
    found = kinds(ClassNames([Classifier(lambda vectors: vectors, len(names), names)]), TERMS)
    assert dict(zip(found.nouns, found.labels, strict=True)) == {
        "seat": "toilet seat", "ball": "ball", "aid": "Band Aid", "pajama": "pajama",
    }  # fmt: skip


def test_a_class_without_a_name_is_not_seen():
    names = (("tabby",), (), ("tench",))
    found = kinds(ClassNames([Classifier(lambda vectors: vectors, len(names), names)]), TERMS)
    sight = found.look(regions([0, 9, 0], [0, 9, 1]))
    assert found.nouns == ("tabby", "tench")
    assert sight.seen() == ()
    assert sight.unsaid([]) < 0.01

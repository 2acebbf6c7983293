"""What the backbone's classifier sees beside what the captioner says."""

from __future__ import annotations

import numpy as np
import pytest

from phrasebox.aligner.priors import ClassNames
from phrasebox.captioner.seen import LEAST, Seen, seen
from phrasebox.regions.backbones.classifier import Classifier
from phrasebox.types import Regions

NAMES = (("tabby", "tabby cat"), ("espresso",), ("coffee mug", "mug"), ("tench",))


@pytest.fixture
def names():
    return ClassNames([Classifier(lambda vectors: vectors, len(NAMES), NAMES)])


def regions(*logits):
    boxes = np.tile(np.array([0, 0, 8, 8], np.float32), (len(logits), 1))
    return Regions(boxes, np.ones(len(logits), np.float32), 8, 8, np.array(logits, np.float16), "one")


def test_a_class_is_seen_where_any_region_shows_it_and_said_if_a_word_of_its_names_is_there(names):
    both = regions([0, 9, 0, 0], [9, 0, 0, 0])
    found = seen(both, names, {"cat", "mug", "coffee"})
    assert [(s.name, s.known) for s in found] == [("tabby", True), ("espresso", False)]
    assert all(s.share > 0.99 for s in found)


def test_the_head_of_a_name_must_be_in_the_vocabulary(names):
    found = seen(regions([0, 0, 9, 0]), names, {"coffee"})
    assert found == (Seen("coffee mug", found[0].share, False),)


def test_an_unsure_classifier_sees_nothing(names):
    assert LEAST > 0.25
    assert seen(regions([0, 0, 0, 0]), names, set()) == ()


def test_a_region_is_seen_by_itself_and_smaller_shares_are_listed(names):
    both = regions([0, 9, 0, 0], [2, 1, 0, 0])
    assert [s.name for s in seen(both, names, set())] == ["espresso", "tabby"]
    assert [s.name for s in seen(both, names, set(), view=1, least=0.1, most=3)] == ["tabby", "espresso"]

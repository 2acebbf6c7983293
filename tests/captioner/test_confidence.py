"""How sure the captioner is, and what it says where it is not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from phrasebox.aligner.priors import ClassNames
from phrasebox.captioner import DescribedRegion, Description
from phrasebox.captioner.confidence import FEATURES, SURE, Assessor, Weights
from phrasebox.captioner.seen import Seen, kinds
from phrasebox.regions.backbones.classifier import Classifier
from phrasebox.types import Box, Regions

NAMES = (("tabby cat",), ("suspension bridge",), ("race car",))


@pytest.fixture(scope="module")
def assessor():
    return Assessor(None, kinds(ClassNames([Classifier(lambda vectors: vectors, len(NAMES), NAMES)]), ()))


def regions(*logits):
    boxes = np.tile(np.array([0, 0, 8, 8], np.float32), (len(logits), 1))
    return Regions(boxes, np.ones(len(logits), np.float32), 8, 8, np.array(logits, np.float16), "one")


def test_what_is_seen_and_not_said_counts_against_a_sentence(assessor):
    image = regions([0, 9, 0], [9, 0, 0])
    said = [("a cat sits", -1.0), ("a dog runs", -2.0), ("a bridge", -1.5), ("a bridge", -1.5)]
    (found,) = assessor.features([image], assessor.sights([image]), [[0, 0, 0, 1]], [said])
    assert found.shape == (4, len(FEATURES))
    generator, aligner, content, unsaid = found.T
    assert generator.tolist() == [-1.0, -2.0, -1.5, -1.5]
    assert not aligner.any()
    assert not content.any()
    assert unsaid == pytest.approx([1, 1, 1, 1], abs=0.01), "one of the two things is never said"
    image = regions([0, 9, 0])
    (one,) = assessor.features([image], assessor.sights([image]), [[0, 0]], [[("a bridge", -1.0), ("a dog", -1.0)]])
    assert one[0, 3] < 0.01 < 0.99 < one[1, 3]


def test_without_networks_the_generator_alone_is_asked():
    (found, nothing) = Assessor(None, None).features(
        [regions([0.0])] * 2, [None, None], [[0], []], [[("a cat", -1.0)], []]
    )
    assert found[0].tolist() == [-1.0, 0, 0, 0]
    assert nothing.shape == (0, len(FEATURES))


def test_a_weighted_sum_and_its_logistic_function():
    weights = Weights((1.0, 0, 0, -2.0), 0.5)
    features = np.array([[1.0, 9, 9, 0.25], [0, 0, 0, 0.25]])
    assert weights(features).tolist() == [1.0, 0.0]
    assert weights.probability(features)[1] == 0.5


def test_a_guess_is_not_written_as_if_it_were_sure():
    likely = (Seen("cup", 0.62, True), Seen("saucer", 0.31, False))
    region = DescribedRegion("a dog", Box(0, 0, 5, 5), 0.4, ("a dog",), 0.1, likely)
    d = Description("a brown dog runs", 0.5, ("a brown dog runs",), (region,), 9, 9, "one", (), SURE / 2, likely)
    assert (d.sure, region.sure) == (False, False)
    assert d.shown == region.shown == "not sure: cup 62 %, saucer 31 %"
    sure = replace(d, confidence=SURE)
    assert (sure.sure, sure.shown, sure.certainty) == (True, "a brown dog runs", SURE)
    values = json.loads(json.dumps(d.to_json()))
    assert (values["sure"], values["shown"], values["likely"][0]["name"]) == (False, d.shown, "cup")
    assert Description.from_json(values) == d
    for of in (values, *values["regions"]):  # as 0.1 wrote it
        for name in ("confidence", "sure", "shown", "likely"):
            del of[name]
    old = Description.from_json(values)
    assert (old.shown, old.certainty, old.regions[0].shown) == ("a brown dog runs", 0.5, "a dog")

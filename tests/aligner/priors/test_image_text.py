from __future__ import annotations

import numpy as np
import pytest
import torch

from phrasebox.aligner.priors import NAMED, ImageText, prior_table
from phrasebox.aligner.priors.base import UNITS
from phrasebox.aligner.priors.choosing import load_prior
from phrasebox.aligner.priors.text_towers import TextTower
from phrasebox.errors import ModelError
from phrasebox.regions.settings import RegionSettings
from phrasebox.types import Regions

SHARED, PART = 3, 5
AXES = {"a photo of a dog.": [1.0, 0, 0], "a photo of a cat.": [0, 2.0, 0]}
TOWER = TextTower(lambda texts: torch.tensor([AXES.get(text, [0, 0, 1.0]) for text in texts]), SHARED, 48.0, 1, "tower")


def regions(vectors) -> Regions:
    boxes = np.array([[0, 0, 9, 9]] * len(vectors), np.float32)
    return Regions(boxes, np.ones(len(vectors), np.float32), 9, 9, np.array(vectors, np.float16))


@pytest.mark.parametrize("second", [False, True])
def test_a_word_is_near_the_regions_that_it_describes(second):
    prior = ImageText(TOWER, PART, second)
    before, behind = ([7.0, 7.0], []) if second else ([], [9.0])
    own = ([2.0, 0, 0], [0, 3.0, 0])
    found = regions([[*before, *vector, 4.0, 4.0, *behind] for vector in own])
    table = prior_table(prior, found, ["dog", "Cat", "the"])
    # The mean of class names is near the third axis, where no region is.
    expected = 48 / UNITS * np.array([[1, 0], [0, 1], [0, 0]])
    np.testing.assert_allclose(table, expected, atol=0.05)
    assert not table[2].any()


def test_what_texts_have_in_common_is_taken_away():
    prior = ImageText(TOWER, PART, second=False)
    unknown = prior.words(["theorem"])[0]
    assert unknown.norm() < 0.1
    assert prior.words(["dog"])[0][2] == pytest.approx(-2, abs=0.1)


def test_it_knows_content_words_and_its_own_width():
    prior = ImageText(TOWER, PART, second=False)
    assert prior.nearness(["dog", "the"]).tolist() == [NAMED, 0.0]
    assert prior.nearness([]).shape == (0,)
    assert prior.words([]).shape == (0, SHARED)
    assert [prior.reads(width) for width in (4, 5, 9)] == [False, True, True]
    assert [ImageText(TOWER, PART, second=True).reads(width) for width in (5, 6)] == [False, True]
    assert prior.fingerprint != ImageText(TOWER, PART, second=True).fingerprint


def test_a_prior_that_the_regions_do_not_have_is_told():
    with pytest.raises(ModelError, match=r"not made with hf:owner/name; make them with: .*--second hf:owner/name"):
        load_prior(RegionSettings(second="timm:resnet50"), "hf:owner/name")
    with pytest.raises(ModelError, match=r"--backbone open_clip:RN50/openai --fresh"):
        load_prior(RegionSettings(), "open_clip:RN50/openai")

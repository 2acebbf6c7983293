"""A small world to speak about: two things stand side by side, and sentences name them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # for helpers

from phrasebox.captioner import CaptionerModel, Corpus, ModelSettings, TrainSettings, Views, Vocabulary
from phrasebox.types import Box, Phrase, Regions

NAMES = ("dog", "cat", "man", "boat", "ball", "tree")
WIDTH = 24
SETTINGS = {
    "rnn": ModelSettings(
        vector_dim=WIDTH, decoder="rnn", attention=False, dim=16, embed=16, tied=False, geometry=False
    ),
    "every": ModelSettings(vector_dim=WIDTH, decoder="gru", attention=False, image="every", dim=16, embed=12),
    "gru": ModelSettings(vector_dim=WIDTH, decoder="gru", dim=16, embed=12),
    "lstm": ModelSettings(vector_dim=WIDTH, decoder="lstm", dim=16, embed=12),
    "context": ModelSettings(vector_dim=WIDTH, decoder="lstm", context=True, dim=16, embed=12),
}
LOOKS = np.random.default_rng(0).normal(size=(len(NAMES), WIDTH))
BOXES = np.array([[0, 0, 100, 100], [0, 0, 50, 100], [50, 0, 100, 100]], np.float32)


def make_world(images: int, seed: int) -> tuple[list[Regions], dict[str, list[str]], dict[str, list[Phrase]]]:
    """Regions of images, a sentence about each, and a phrase about each half."""
    rng = np.random.default_rng(seed)
    regions, captions, phrases = [], {}, {}
    for k in range(images):
        left, right = rng.permutation(len(NAMES))[:2]
        looks = np.stack([(LOOKS[left] + LOOKS[right]) / 2, LOOKS[left], LOOKS[right]])
        vectors = (looks + 0.1 * rng.normal(size=looks.shape)).astype(np.float16)
        regions.append(Regions(BOXES, np.ones(3, np.float32), 100, 100, vectors, str(k)))
        captions[str(k)] = [f"a {NAMES[left]} stands left of a {NAMES[right]}"]
        phrases[str(k)] = [
            Phrase(f"the {NAMES[c]}", (0, 3), Box(*BOXES[i].tolist()), 0.5, 0.9, region=i)
            for i, c in ((1, left), (2, right))
        ]
    return regions, captions, phrases


@pytest.fixture(scope="session")
def kinds():
    """Settings of small models by a name."""
    return SETTINGS


@pytest.fixture(scope="session")
def world():
    """`make_world`."""
    return make_world


@pytest.fixture(scope="session")
def corpus():
    """Makes a corpus of so many images."""

    def make(images: int, seed: int, data: str = "both") -> Corpus:
        regions, captions, phrases = make_world(images, seed)
        return Corpus.gather([regions], captions, phrases, TrainSettings(data=data, reward_epochs=0))

    return make


@pytest.fixture(params=SETTINGS)
def speaker(request, corpus):
    """An untrained captioner of each kind in double precision, its vocabulary, and views of whole images and parts."""
    torch.manual_seed(3)
    found = corpus(6, seed=5)
    vocabulary = found.vocabulary(1)
    model = CaptionerModel(SETTINGS[request.param], len(vocabulary)).eval().double()
    for parameter in model.parameters():  # far enough from uniform for sentences to differ and to end
        parameter.data *= 3
    if model.settings.attention and model.settings.context:  # zeros at first
        torch.nn.init.normal_(model.around.weight)
    views = Views(found.regions, torch.tensor([0, 1, 1, 2, 3, 4, 5]), torch.tensor([0, 0, 1, 2, 0, 1, 0])).to("cpu")
    views.regions.vectors.data = views.regions.vectors.double()
    views.regions.geometry.data = views.regions.geometry.double()
    return model, vocabulary, views


@pytest.fixture(scope="session")
def small_vocabulary():
    return Vocabulary(("a", "dog", "runs", "狗"))

"""A small world to learn: concepts that each have a look and a word."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for helpers

from phrasebox.aligner import Pairs
from phrasebox.text.word_vectors import DIM, Sentence
from phrasebox.types import Regions, Word

CONCEPTS, WIDTH, PER_IMAGE = 12, 32, 4


@pytest.fixture(scope="session")
def world():
    """Makes pairs; image k's region i + 1 and its captions' word i show concept ``shown[k][i]``."""
    rng = np.random.default_rng(0)
    looks = rng.normal(size=(CONCEPTS, WIDTH))
    words = rng.normal(size=(CONCEPTS, DIM)) / 4

    def make(images, seed, captions=2):
        rng = np.random.default_rng(seed)
        shown = [rng.permutation(CONCEPTS)[:PER_IMAGE] for _ in range(images)]
        regions, sentences = [], {}
        for k, concepts in enumerate(shown):
            parts = looks[concepts] + 0.1 * rng.normal(size=(PER_IMAGE, WIDTH))
            vectors = np.concatenate([parts.mean(0, keepdims=True), parts]).astype(np.float16)
            low = rng.uniform(0, 50, (PER_IMAGE, 2))
            boxes = np.concatenate([[[0, 0, 100, 100]], np.concatenate([low, low + 40], 1)]).astype(np.float32)
            regions.append(Regions(boxes, np.ones(PER_IMAGE + 1, np.float32), 100, 100, vectors, str(k)))
            names = tuple(Word(f"w{c}", 4 * i, 4 * i + 3) for i, c in enumerate(concepts))
            said = words[concepts]
            sentences[str(k)] = [
                Sentence("", names, (said + 0.02 * rng.normal(size=said.shape)).astype(np.float16))
                for _ in range(captions)
            ]
        return Pairs.gather([regions], sentences), shown

    return make

"""The nearest training vector of each vector."""

from __future__ import annotations

import numpy as np

from phrasebox.evaluate.neighbours import nearest


def test_the_nearest_is_the_one_of_the_largest_cosine():
    rng = np.random.default_rng(0)
    vectors, training = rng.normal(size=(30, 8)), rng.normal(size=(50, 8)).astype(np.float16)
    cosines = vectors @ training.T / np.linalg.norm(vectors, axis=1)[:, None] / np.linalg.norm(training, axis=1)
    assert nearest(vectors, training).tolist() == cosines.argmax(1).tolist()

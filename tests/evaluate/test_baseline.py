"""The ridge baseline against a slow reference."""

from __future__ import annotations

import numpy as np
import pytest

from phrasebox.evaluate.baseline import ridge_scores


def slowly(train_images, train_sentences, train_owner, images, sentences):
    """One weight vector at a time, from the augmented least-squares problem that a ridge regression is."""
    count, dim = train_images.shape
    target = np.stack([train_sentences[train_owner == k].mean(0) for k in range(count)])
    mean, goal = train_images.mean(0), target.mean(0)
    variance = sum(((train_images[:, d] - mean[d]) ** 2).sum() for d in range(dim)) / dim
    rows = np.concatenate([train_images - mean, np.sqrt(0.1 * variance) * np.eye(dim)])
    weights = [
        np.linalg.lstsq(rows, np.concatenate([target[:, e] - goal[e], np.zeros(dim)]), rcond=None)[0]
        for e in range(target.shape[1])
    ]
    scores = np.empty((len(images), len(sentences)))
    for k, image in enumerate(images):
        predicted = np.array([(image - mean) @ w for w in weights])
        for j, sentence in enumerate(sentences):
            centred = sentence - goal
            scores[k, j] = predicted @ centred / np.linalg.norm(predicted) / np.linalg.norm(centred)
    return scores


@pytest.mark.parametrize(
    ("count", "dim"),
    [pytest.param(40, 6, id="more images than dimensions"), pytest.param(5, 12, id="fewer: only the ridge solves it")],
)
def test_equals_the_slow_reference(count, dim):
    rng = np.random.default_rng(count)
    owner = np.sort(np.concatenate([np.arange(count), rng.integers(0, count, count)]))
    given = (
        rng.normal(2, 1, (count, dim)).astype(np.float32),
        rng.normal(-1, 1, (len(owner), 4)).astype(np.float32),
        owner,
        rng.normal(2, 1, (7, dim)).astype(np.float32),
        rng.normal(-1, 1, (9, 4)).astype(np.float32),
    )
    scores = ridge_scores(*given)
    assert (scores.shape, scores.dtype) == ((7, 9), np.float32)
    np.testing.assert_allclose(scores, slowly(*given), atol=1e-4)


def test_finds_the_pairs_of_a_linear_world():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(200, 8)).astype(np.float32)
    sentences = images @ rng.normal(size=(8, 5)).astype(np.float32)
    scores = ridge_scores(images[:150], sentences[:150], np.arange(150), images[150:], sentences[150:])
    assert (scores.argmax(1) == np.arange(50)).mean() > 0.9


def test_an_image_and_a_sentence_at_the_mean_score_nothing():
    images, sentences = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)
    at_mean = np.full((1, 3), 1 / 3, np.float32)
    np.testing.assert_allclose(ridge_scores(images, sentences, np.arange(3), images, at_mean), 0, atol=1e-5)
    np.testing.assert_allclose(ridge_scores(images, sentences, np.arange(3), at_mean, sentences), 0, atol=1e-3)

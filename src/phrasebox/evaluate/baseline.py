"""The frozen-feature baseline of retrieval: no aligner, one linear map."""

from __future__ import annotations

import numpy as np

_RIDGE = 0.1  # of the mean variance of the image features


def ridge_scores(
    train_images: np.ndarray,
    train_sentences: np.ndarray,
    train_owner: np.ndarray,
    images: np.ndarray,
    sentences: np.ndarray,
) -> np.ndarray:
    """Cosine of sentences with what a ridge regression predicts from images.

    Mean region vectors and mean word vectors live in different spaces; the regression from the former to the mean
    of an image's sentences is the simplest map between them, in closed form.

    Parameters
    ----------
    train_images : (N, D)
        Mean region vectors.
    train_sentences : (M, E)
        Mean word vectors.
    train_owner : (M,) int
        Image of every training sentence; every image has at least one.
    images : (K, D)
    sentences : (L, E)

    Returns
    -------
    (K, L) float32
        Cosines.
    """
    target = np.zeros((len(train_images), train_sentences.shape[1]))
    np.add.at(target, train_owner, train_sentences)
    target /= np.bincount(train_owner, minlength=len(train_images))[:, None]
    mean, goal = train_images.mean(0), target.mean(0)
    x = train_images.astype(np.float64) - mean
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram)
    predicted = (images - mean) @ np.linalg.solve(gram, x.T @ (target - goal))
    return (_unit(predicted) @ _unit(sentences - goal).T).astype(np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

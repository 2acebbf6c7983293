"""Objectness of boxes: contrast between the inside of a box and its surroundings on the network's feature map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phrasebox.io.arguments import checked
from phrasebox.regions.roi_align import cell_weights

if TYPE_CHECKING:
    from torch import Tensor

SURROUNDINGS = 1.6  # side of the surrounding box with the same centre, in sides of the box
CLASSES = 100  # classes with the highest logit in any cell of the image; the others are ignored


@checked(image_map="Tensor (D, h, w)", shares="(N, 4)", logits="Tensor (cells, classes)", bins=int)
def contrast(image_map: Tensor, shares: np.ndarray, logits: Tensor | None, bins: int = 3) -> np.ndarray:
    """Objectness score of boxes; larger is better.

    The sum of three terms: one minus the cosine of the mean vector inside the box and the mean vector of the ring
    around it; the largest rise of a class logit from the ring to the inside; the log of the box's area. The first
    two are standardised over the boxes of the image. A box that cuts through a thing or
    contains much background resembles its surroundings; a box that fits a thing does not.

    Parameters
    ----------
    image_map : (D, h, w) Tensor
        Last map of the network.
    shares : (N, 4)
        Boxes, ``xyxy`` as shares of the image.
    logits : (h*w, classes) Tensor or None
        Class logits of every cell, row by row; None leaves the second term out.
    bins : int
        As for `phrasebox.regions.roi_align.pool`.

    Returns
    -------
    (N,) float32

    Examples
    --------
    A thing fills the left half; the box that holds it beats one that holds half of it.

    >>> import torch
    >>> image_map = torch.zeros(2, 8, 8)
    >>> image_map[0, :, :4], image_map[1, :, 4:] = 1, 1
    >>> scores = contrast(image_map, np.array([[0, 0, 0.5, 1], [0.25, 0, 0.75, 1], [0, 0, 1, 1]]), None)
    >>> int(scores.argmax())
    0
    """
    import torch

    if not len(shares):
        return np.zeros(0, np.float32)
    _, height, width = image_map.shape
    cells = image_map.flatten(1).T  # (h*w, D)
    inside = cell_weights(shares, bins, height, width).to(cells)  # (N, h*w)
    larger = _enlarged(shares)
    # The ring's sum is the larger box's minus the box's; a box with almost no ring is compared with itself.
    ratio = torch.as_tensor(_area(larger) / _area(shares)).to(cells)[:, None]
    around = cell_weights(larger, bins + 1, height, width).to(cells)
    ring = ((around * ratio - inside) / (ratio - 1).clamp(min=0.05)).clamp(min=0)
    ring = ring / ring.sum(1, keepdim=True).clamp(min=1e-6)
    products = cells @ cells.T  # (h*w, h*w): every cosine below is a form in these
    inside_products, ring_products = inside @ products, ring @ products
    dot = (inside_products * ring).sum(1)
    lengths = ((inside_products * inside).sum(1) * (ring_products * ring).sum(1)).clamp(min=1e-12).sqrt()
    scores = _standard(1 - dot / lengths)
    if logits is not None:
        strongest = logits.amax(0).topk(min(CLASSES, logits.shape[1])).indices
        scores = scores + _standard(((inside - ring) @ logits[:, strongest]).amax(1))
    return scores.cpu().numpy() + np.log(np.maximum(_area(shares), 1e-6)).astype(np.float32)


def _enlarged(shares: np.ndarray) -> np.ndarray:
    """The boxes `SURROUNDINGS` times as wide and high, clipped to the image."""
    middle = (shares[:, :2] + shares[:, 2:]) / 2
    half = (shares[:, 2:] - shares[:, :2]) * (SURROUNDINGS / 2)
    return np.clip(np.concatenate([middle - half, middle + half], axis=1), 0, 1)


def _area(shares: np.ndarray) -> np.ndarray:
    return np.maximum((shares[:, 2] - shares[:, 0]) * (shares[:, 3] - shares[:, 1]), 1e-9)


def _standard(values: Tensor) -> Tensor:
    """Mean 0 and spread 1; zeros where all are equal."""
    centred = values - values.mean()
    return centred / centred.square().mean().sqrt().clamp(min=1e-6)

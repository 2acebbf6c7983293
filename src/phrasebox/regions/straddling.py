"""Superpixel straddling (Alexe et al., 2012): a box that cuts superpixels does not match an object's outline."""

from __future__ import annotations

import numpy as np

from phrasebox.io.arguments import checked

SIDE = 96  # width and height in pixels of the copy that is segmented
SIGMA, SCALE, SMALLEST = 0.5, 300.0, 50  # of the graph segmentation (Felzenszwalb & Huttenlocher, 2004), in its pixels


@checked(image="(H, W, 3) int", boxes="(R, 4)")
def straddling(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Straddling score of each box: 1 - sum over superpixels s of min(|s in b|, |s outside b|) / |b|.

    Parameters
    ----------
    image : (H, W, 3) uint8 RGB
    boxes : (R, 4)
        ``xyxy`` pixels of the image.

    Returns
    -------
    (R,) float32 in [0, 1]
        1 if no superpixel crosses the border of the box, as for the whole image; 0 inside a single larger superpixel.

    Examples
    --------
    >>> image = np.zeros((40, 40, 3), np.uint8)
    >>> image[:, :20] = 255
    >>> straddling(image, np.array([[0, 0, 20, 40], [0, 0, 10, 40], [10, 0, 30, 40]])).round(1)
    array([1., 0., 0.], dtype=float32)
    """
    height, width = image.shape[:2]
    superpixel = superpixels(image)
    sizes = np.bincount(superpixel.ravel())
    corners = np.rint(boxes * (SIDE / np.array([width, height] * 2))).astype(np.int64)
    low = np.clip(corners[:, :2], 0, SIDE - 1)
    high = np.clip(np.maximum(corners[:, 2:], low + 1), 1, SIDE)  # at least one pixel
    found = np.empty(len(boxes), np.float32)
    for row, ((x1, y1), (x2, y2)) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        inside = np.bincount(superpixel[y1:y2, x1:x2].ravel(), minlength=len(sizes))
        found[row] = 1 - np.minimum(inside, sizes - inside).sum() / ((x2 - x1) * (y2 - y1))
    return found


def superpixels(image: np.ndarray) -> np.ndarray:
    """Number of the superpixel of every pixel, (SIDE, SIDE) int32, in a copy of an (H, W, 3) uint8 RGB image."""
    import cv2

    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    # A new object each call: it holds the image, so threads must not share it.
    search = cv2.ximgproc.segmentation.createGraphSegmentation(SIGMA, SCALE, SMALLEST)
    return search.processImage(cv2.cvtColor(small, cv2.COLOR_RGB2Lab))

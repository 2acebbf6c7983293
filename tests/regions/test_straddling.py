"""How little boxes cut through superpixels: against a slow count, pixel by pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from phrasebox.regions.straddling import SCALE, SIDE, SIGMA, SMALLEST, straddling


def superpixels_of(image):
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    search = cv2.ximgproc.segmentation.createGraphSegmentation(SIGMA, SCALE, SMALLEST)
    return search.processImage(cv2.cvtColor(small, cv2.COLOR_RGB2Lab))


def slow_closed(superpixels, box):
    """1 - sum over s of min(|s in b|, |s outside b|) / |b|, of a box in whole pixels of the small copy."""
    x1, y1, x2, y2 = box
    inside, outside = {}, {}
    for y in range(SIDE):
        for x in range(SIDE):
            counts = inside if x1 <= x < x2 and y1 <= y < y2 else outside
            counts[superpixels[y, x]] = counts.get(superpixels[y, x], 0) + 1
    cut = sum(min(count, outside.get(s, 0)) for s, count in inside.items())
    return 1 - cut / ((x2 - x1) * (y2 - y1))


@pytest.fixture(scope="module")
def cat():
    return np.asarray(data.chelsea())


def test_equals_a_slow_count(cat):
    height, width = cat.shape[:2]
    corners = np.sort(np.random.default_rng(0).integers(0, SIDE, (12, 2, 2)), axis=1).reshape(-1, 4)
    corners[:, 2:] += 1
    found = straddling(cat, corners * (np.array([width, height] * 2) / SIDE))
    superpixels = superpixels_of(cat)
    assert superpixels.max() > 5  # there is something to cut
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [slow_closed(superpixels, box) for box in corners.tolist()], atol=1e-6)
    assert np.ptp(found) > 0.2


def test_the_whole_image_cuts_nothing(cat):
    height, width = cat.shape[:2]
    assert straddling(cat, np.array([[0, 0, width, height]])) == 1


def thing_on_ground():
    """A red square on green, its sides on whole pixels of the small copy."""
    image = np.full((2 * SIDE, 4 * SIDE, 3), (20, 120, 20), np.uint8)
    image[SIDE // 2 : SIDE, SIDE : 2 * SIDE] = (220, 20, 20)
    return image, np.array([SIDE, SIDE // 2, 2 * SIDE, SIDE], np.float32)


def test_a_box_around_a_thing_is_closed_and_one_beside_it_is_not():
    image, around = thing_on_ground()
    half, beside, loose = np.float32([[0, 0, -SIDE / 2, 0], [SIDE / 2, 0] * 2, [-12, -12, 12, 12]]) + around
    exact, cut, moved, larger = straddling(image, np.stack([around, half, beside, loose]))
    assert exact > 0.9  # the small copy is smoothed before it is cut up
    assert cut < 0.1
    assert max(cut, moved) < larger < exact


def test_boxes_are_in_pixels_of_the_image(cat):
    boxes = np.array([[20, 30, 200, 180], [100, 100, 300, 250]], np.float32)
    twice = cv2.resize(cat, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    np.testing.assert_allclose(straddling(twice, 2 * boxes), straddling(cat, boxes), atol=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (7, 5)], ids=str)
def test_tiny_and_thin_images(shape):
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    height, width = shape
    found = straddling(image, np.array([[0, 0, width, height], [0, 0, width / 3, height / 3]]))
    assert found[0] == 1
    assert 0 <= found[1] <= 1


@pytest.mark.parametrize(
    "box",
    [(50, 50, 50, 50), (450.9, 299.9, 451, 300), (-30, -30, -10, -10), (460, 310, 500, 400), (10, 10, 10.01, 200)],
    ids=["no area", "a sliver at the corner", "left of the image", "right of the image", "a line"],
)
def test_a_box_of_next_to_nothing_has_a_share(cat, box):
    assert 0 <= straddling(cat, np.array([box]))[0] <= 1


def test_no_boxes(cat):
    assert straddling(cat, np.empty((0, 4))).shape == (0,)

from __future__ import annotations

import numpy as np
import pytest

from phrasebox.grounding.heatmap import GRID
from phrasebox.grounding.masks import masks, run_lengths
from phrasebox.types import Box


def heat_of(across):
    return np.repeat([np.interp(np.linspace(0, 1, GRID), np.linspace(0, 1, len(across)), across)], GRID, 0).ravel()


def test_hot_superpixels_inside_the_box():
    thirds = np.repeat([np.repeat([0, 1, 2], 4)], 12, axis=0)
    hot, cold, edge = [
        masks(thirds, heat_of(across), [Box(0, 0, 80, 60)], (120, 60))[0]
        for across in ([1, 0.9, 0.1, 0], [1, 1, 0.2, 0.1, 0, 0], [0, 0, 1, 1])
    ]
    assert hot[:, :40].all()
    assert not hot[:, 80:].any()
    assert cold[:, :40].all()
    assert not cold[:, 40:].any()
    assert edge[:, 40:80].all()
    assert not edge[:, :40].any()


def test_a_superpixel_that_lies_mostly_outside_does_not_belong():
    halves = np.repeat([np.repeat([0, 1], 6)], 12, axis=0)
    (mask,) = masks(halves, np.ones(GRID**2), [Box(0, 0, 70, 60)], (120, 60))
    assert mask[:, :60].all()
    assert not mask[:, 60:].any()


def test_a_box_in_one_large_superpixel_is_its_own_mask():
    whole = np.zeros((12, 12), np.int32)
    for box in (Box(10, 10, 20, 30), Box(119.6, 59.7, 120, 60)):
        (mask,) = masks(whole, np.ones(GRID**2), [box], (120, 60))
        assert mask.any()
        rows, columns = np.nonzero(mask)
        assert rows.min() >= int(box.y1)
        assert columns.min() >= int(box.x1)
        assert mask.sum() == max(round(box.width), 1) * max(round(box.height), 1)


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_are_those_of_pycocotools(seed):
    pycocotools = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    mask = rng.random((rng.integers(1, 9), rng.integers(1, 9))) < 0.5
    found = run_lengths(mask)
    assert sum(found["counts"]) == mask.size
    assert (pycocotools.decode(pycocotools.frPyObjects(found, *mask.shape)) == mask).all()


def test_run_lengths_of_nothing_and_of_all():
    assert run_lengths(np.zeros((2, 3), bool)) == {"size": [2, 3], "counts": [6]}
    assert run_lengths(np.ones((2, 3), bool)) == {"size": [2, 3], "counts": [0, 6]}

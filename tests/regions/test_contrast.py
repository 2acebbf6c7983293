"""Ranking boxes by contrast: against a slow reference, and on a photograph."""

from __future__ import annotations

import numpy as np
import torch
from skimage import data

from phrasebox.regions.contrast import contrast
from phrasebox.regions.extractor import RegionExtractor
from phrasebox.regions.settings import RegionSettings


def painted(box: tuple[int, int, int, int]) -> torch.Tensor:
    """A map of ground with a thing in a box of cells."""
    image_map = torch.zeros(3, 14, 14)
    image_map[0] = 1
    x1, y1, x2, y2 = box
    image_map[:, y1:y2, x1:x2] = torch.tensor([0.1, 1.0, 0.5])[:, None, None]
    return image_map


def test_the_box_that_just_holds_the_thing_wins() -> None:
    boxes = np.array([[4, 3, 9, 10], [4, 3, 7, 10], [6, 5, 12, 12], [0, 0, 14, 14], [10, 0, 14, 4]], np.float32) / 14
    for logits in (None, painted((4, 3, 9, 10)).flatten(1).T):
        assert contrast(painted((4, 3, 9, 10)), boxes, logits).argmax() == 0


def test_no_boxes_and_a_blank_map_give_finite_scores() -> None:
    assert contrast(torch.zeros(2, 7, 7), np.zeros((0, 4), np.float32), None).shape == (0,)
    boxes = np.array([[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0.2, 0.2, 0.2001, 0.9]], np.float32)
    for image_map in (torch.zeros(2, 7, 7), torch.ones(2, 7, 7)):
        assert np.isfinite(contrast(image_map, boxes, image_map.flatten(1).T)).all()


def test_an_extractor_ranks_by_it_and_keeps_the_whole_image_first() -> None:
    settings = RegionSettings(
        "grid", regions=8, backbone="efficientnet-lite0", size=96, rank="contrast", runtime="torch"
    )
    (found,) = RegionExtractor(settings)([data.chelsea()])
    assert tuple(found.boxes[0]) == (0, 0, 451, 300)
    assert len(found) == 8
    assert (np.diff(found.scores[1:]) <= 0).all()
    assert found.vectors is not None
    assert found.vectors.shape == (8, 1280)

"""Large images are reduced before networks and proposers see them; their boxes are those of the whole image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from phrasebox.types import Regions

ENOUGH = 1024
"""Shorter side in pixels that large images are reduced to for networks and proposers, which see less of them."""


def in_whole(regions: Regions, size: tuple[int, int]) -> Regions:
    """Regions of a reduced image as those of the whole one, of this width and height."""
    if size == (regions.width, regions.height):
        return regions
    factors = np.array([size[0] / regions.width, size[1] / regions.height] * 2, np.float32)
    boxes = np.minimum(regions.boxes * factors, np.array(size * 2, np.float32))
    return replace(regions, boxes=boxes, width=size[0], height=size[1])

"""Selective search (Uijlings et al., 2013): boxes around groups of similar pixels, from OpenCV's contrib modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from phrasebox.errors import SettingsError
from phrasebox.io.arguments import checked
from phrasebox.regions.proposers.base import AN_IMAGE, Proposals, by_area

SMALLEST_SIDE = 16  # pixels after resizing; thinner images cannot be segmented
SIGMA, SCALE = 0.8, 100  # of the graph segmentation that merging starts from; SCALE is its smallest segment, too


@dataclass(frozen=True, slots=True)
class SelectiveSearch:
    """Selective search on a small copy of the image, from one fine segmentation in each of two colour spaces.

    Segments are merged twice: by likeness of colour, fill and size, and by fill and size alone. OpenCV's fast mode
    starts from several coarser segmentations and compares texture as well, which takes four times as long for boxes
    that are no better. OpenCV ranks its boxes by a random number from the C library, which cannot be seeded per
    thread; the boxes themselves are always the same. They are therefore ranked by their area.

    Attributes
    ----------
    short_side : int
        Pixels of the copy's short side; smaller images are left as they are.
    min_side : float
        Boxes whose width or height is below this share of the image's are dropped.

    Raises
    ------
    SettingsError
        If a setting lies outside its range.
    """

    short_side: int = 128
    min_side: float = 0.09

    def __post_init__(self) -> None:
        if self.short_side < SMALLEST_SIDE:
            raise SettingsError(f"short_side is {self.short_side} pixels; give {SMALLEST_SIDE} or more")
        if not 0 <= self.min_side < 1:
            raise SettingsError(f"min_side is {self.min_side}; give a share of the image from 0 up to 1")

    @property
    def name(self) -> str:
        """``selective_search-<scale>-<short side>-<smallest side>``."""
        return f"selective_search-{SCALE}-{self.short_side}-{self.min_side:g}"

    @checked(image=AN_IMAGE)
    def propose(self, image: np.ndarray) -> Proposals:
        """Boxes of an ``(H, W, 3)`` uint8 RGB image; none for an image under 16 pixels wide or high."""
        import cv2

        height, width = image.shape[:2]
        scale = min(1.0, self.short_side / min(height, width))
        small_width, small_height = round(width * scale), round(height * scale)
        if min(small_width, small_height) < SMALLEST_SIDE:
            return by_area(np.empty((0, 4)), width, height)
        small = cv2.resize(image, (small_width, small_height), interpolation=cv2.INTER_AREA)
        boxes = np.unique(_search(small).process(), axis=0).astype(np.float64)  # (N, 4) x, y, width, height
        large = (boxes[:, 2] >= self.min_side * small_width) & (boxes[:, 3] >= self.min_side * small_height)
        boxes = boxes[large]
        boxes[:, 2:] += boxes[:, :2]
        return by_area(boxes * np.array([width / small_width, height / small_height] * 2), width, height)


def _search(image: np.ndarray) -> Any:
    """OpenCV's search on an RGB image; a new object each call, as it holds the image and threads must not share it."""
    import cv2

    made = cv2.ximgproc.segmentation
    search = made.createSelectiveSearchSegmentation()
    for space in (cv2.COLOR_RGB2HSV, cv2.COLOR_RGB2Lab):
        search.addImage(cv2.cvtColor(image, space))
    search.addGraphSegmentation(made.createGraphSegmentation(SIGMA, SCALE, SCALE))
    fill, size = made.createSelectiveSearchSegmentationStrategyFill, made.createSelectiveSearchSegmentationStrategySize
    colour = made.createSelectiveSearchSegmentationStrategyColor
    for likeness in ((colour(), fill(), size()), (fill(), size())):
        search.addStrategy(made.createSelectiveSearchSegmentationStrategyMultiple(*likeness))
    return search

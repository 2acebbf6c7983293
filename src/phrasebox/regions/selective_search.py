"""Selective search (Uijlings et al., 2013): boxes around groups of similar pixels, from OpenCV's contrib modules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phrasebox.errors import SettingsError
from phrasebox.regions.base import Proposals, by_area

SMALLEST_SIDE = 16  # pixels after resizing; a thinner image holds no shapes to segment


@dataclass(frozen=True, slots=True)
class SelectiveSearch:
    """Fast selective search on a small copy of the image.

    OpenCV ranks its boxes by a random number from the C library, which cannot be seeded per thread; the boxes
    themselves are always the same. They are therefore ranked by their area.

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
        """``selective_search-<short side>-<smallest side>``."""
        return f"selective_search-{self.short_side}-{self.min_side:g}"

    def propose(self, image: np.ndarray) -> Proposals:
        """Boxes of an ``(H, W, 3)`` uint8 RGB image; none for an image under 16 pixels wide or high."""
        import cv2

        height, width = image.shape[:2]
        scale = min(1.0, self.short_side / min(height, width))
        small_width, small_height = round(width * scale), round(height * scale)
        if min(small_width, small_height) < SMALLEST_SIDE:
            return by_area(np.empty((0, 4)), width, height)
        small = cv2.resize(image, (small_width, small_height), interpolation=cv2.INTER_AREA)
        # One object a call: it holds the image, so threads must not share it.
        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
        search.setBaseImage(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        search.switchToSelectiveSearchFast()
        boxes = np.unique(search.process(), axis=0).astype(np.float64)  # (N, 4) x, y, width, height
        large = (boxes[:, 2] >= self.min_side * small_width) & (boxes[:, 3] >= self.min_side * small_height)
        boxes = boxes[large]
        boxes[:, 2:] += boxes[:, :2]
        return by_area(boxes * np.array([width / small_width, height / small_height] * 2), width, height)

"""Views of images: random parts, perhaps flipped, which training sees beside the images themselves."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from phrasebox.boxes import area
from phrasebox.regions.extractor import squash

LEAST_SEEN = 0.4  # share of a box's area that a view has to show for the box to count
LEAST_SHOWN = 0.5  # share of the image's area that a numbered view shows, at least; its captions should still be true


@dataclass(frozen=True, slots=True)
class View:
    """A part of an image, perhaps flipped.

    Attributes
    ----------
    place : (x1, y1, x2, y2)
        Shares of the image.
    flipped : bool
        Left and right are exchanged.
    """

    place: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    flipped: bool = False

    @classmethod
    def drawn(cls, rng: np.random.Generator, least: float, stretch: float = 0.0) -> View:
        """A random part, flipped half of the time.

        Parameters
        ----------
        least : float
            Least share of the image's area.
        stretch : float
            Largest logarithm of the change of the aspect ratio.
        """
        share = rng.uniform(least, 1)
        ratio = math.exp(rng.uniform(-stretch, stretch)) if stretch else 1.0
        width, height = min(1.0, math.sqrt(share * ratio)), min(1.0, math.sqrt(share / ratio))
        x, y = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
        return cls((x, y, x + width, y + height), bool(rng.random() < 0.5))

    def cut(self, image: np.ndarray) -> np.ndarray:
        """The view of an ``(H, W, 3)`` image at its own resolution, at least one pixel each way."""
        height, width = image.shape[:2]
        x1, y1, x2, y2 = (np.array(self.place) * [width, height, width, height]).round().astype(int).tolist()
        found = image[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
        return np.ascontiguousarray(found[:, ::-1] if self.flipped else found)

    def pixels(self, image: np.ndarray, side: int) -> np.ndarray:
        """The view of an ``(H, W, 3)`` image, ``(side, side, 3)``."""
        height, width = image.shape[:2]
        x1, y1, x2, y2 = self.place
        found = squash(image, side, (x1 * width, y1 * height, x2 * width, y2 * height))
        return found[:, ::-1] if self.flipped else found

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """The visible parts of boxes (N, 4), those of which at least `LEAST_SEEN` is visible, as shares of the view.

        Examples
        --------
        >>> View((0.5, 0, 1, 1), flipped=True).boxes(np.array([[0, 0, 1, 1], [0, 0, 0.6, 1], [0.5, 0, 0.75, 0.5]]))
        array([[0. , 0. , 1. , 1. ],
               [0.5, 0. , 1. , 0.5]], dtype=float32)
        """
        corner = np.array(self.place[:2])
        moved = (boxes - np.tile(corner, 2)) / np.tile(np.array(self.place[2:]) - corner, 2)
        seen = moved.clip(0, 1)
        seen = seen[area(seen) >= LEAST_SEEN * area(moved)]
        if self.flipped:
            seen = np.stack([1 - seen[:, 2], seen[:, 1], 1 - seen[:, 0], seen[:, 3]], 1)
        return seen.astype(np.float32)


def view_of(key: str, number: int) -> View:
    """The view of an image that regions are made of: 0 is the image itself, others are random parts of it."""
    if not number:
        return View()
    own = int.from_bytes(hashlib.blake2b(key.encode("utf-8", "backslashreplace"), digest_size=8).digest())
    return View.drawn(np.random.default_rng([number, own]), LEAST_SHOWN)

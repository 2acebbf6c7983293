"""A fixed grid of boxes at several sizes and shapes: no search, the same boxes in every image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phrasebox.errors import SettingsError
from phrasebox.io.arguments import checked
from phrasebox.regions.proposers.base import AN_IMAGE, Proposals, by_area

# Anchors of one size: width and height as shares of the image, number of columns, number of rows.
Level = tuple[float, float, int, int]

# The key counts the whole image too, which `phrasebox.regions.extractor` adds to the anchors.
LEVELS: dict[int, tuple[Level, ...]] = {
    27: ((0.6, 0.6, 2, 2), (0.4, 0.4, 3, 3), (0.3, 0.7, 4, 1), (0.7, 0.35, 1, 3), (0.5, 0.9, 3, 1), (0.9, 0.5, 1, 3)),
    48: (
        (0.75, 0.75, 2, 2),
        (0.5, 0.5, 3, 3),
        (0.33, 0.33, 4, 3),
        (0.25, 0.6, 5, 2),
        (0.5, 0.9, 3, 1),
        (0.9, 0.5, 1, 3),
        (0.6, 0.3, 2, 3),
    ),
    101: (
        (0.75, 0.75, 2, 2),
        (0.5, 0.5, 3, 3),
        (0.33, 0.33, 4, 4),
        (0.25, 0.25, 5, 5),
        (0.25, 0.6, 5, 2),
        (0.4, 0.8, 4, 1),
        (0.5, 0.95, 3, 1),
        (0.95, 0.5, 1, 3),
        (0.6, 0.3, 2, 4),
        (0.15, 0.35, 6, 3),
    ),
}


def anchors(levels: tuple[Level, ...]) -> np.ndarray:
    """Boxes of the levels as shares of the image, ``(N, 4)`` xyxy in [0, 1].

    Each level is spread evenly from edge to edge; a single column or row is centred.

    Examples
    --------
    >>> anchors(((0.5, 1.0, 2, 1),))
    array([[0. , 0. , 0.5, 1. ],
           [0.5, 0. , 1. , 1. ]])
    """
    boxes = []
    for width, height, columns, rows in levels:
        lefts = np.linspace(0, 1 - width, columns) if columns > 1 else [(1 - width) / 2]
        tops = np.linspace(0, 1 - height, rows) if rows > 1 else [(1 - height) / 2]
        boxes += [(x, y, x + width, y + height) for y in tops for x in lefts]
    return np.clip(np.array(boxes), 0, 1)


@dataclass(frozen=True, slots=True)
class Grid:
    """The anchors of one density, ranked by their area.

    Attributes
    ----------
    density : int
        Boxes an image, the whole image included: 27, 48 or 101.

    Raises
    ------
    SettingsError
        If there is no such density.
    """

    density: int = 48

    def __post_init__(self) -> None:
        if self.density not in LEVELS:
            raise SettingsError(f"density is {self.density}; choose one of {', '.join(map(str, LEVELS))}")

    @property
    def name(self) -> str:
        """``grid-<density>``."""
        return f"grid-{self.density}"

    @checked(image=AN_IMAGE)
    def propose(self, image: np.ndarray) -> Proposals:
        """``density - 1`` boxes of an ``(H, W, 3)`` image."""
        height, width = image.shape[:2]
        return by_area(anchors(LEVELS[self.density]) * np.array([width, height] * 2), width, height)

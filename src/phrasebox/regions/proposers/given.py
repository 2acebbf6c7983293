"""User boxes instead of proposed ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phrasebox.errors import DataError
from phrasebox.io.arguments import an_array, checked
from phrasebox.regions.proposers.base import AN_IMAGE, Proposals


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """The user boxes of one image, in order.

    Attributes
    ----------
    boxes : (N, 4) array-like
        ``xyxy`` pixels of the image; N may be 0.

    Raises
    ------
    DataError
        If that is not the shape.
    """

    boxes: np.ndarray

    def __post_init__(self) -> None:
        boxes = an_array(self.boxes, "given boxes", "(N, 4)").astype(np.float64)
        if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
            raise DataError(f"given boxes need the shape (N, 4) xyxy pixels, got {boxes.shape}")
        object.__setattr__(self, "boxes", boxes.reshape(-1, 4))

    @property
    def name(self) -> str:
        """``given``."""
        return "given"

    @checked(image=AN_IMAGE)
    def propose(self, image: np.ndarray) -> Proposals:
        """Return the boxes, clipped to the image, each with score 1.

        Raises
        ------
        DataError
            If a box is not finite, has no area, or lies outside the image.

        Examples
        --------
        >>> Given([[-5, 0, 4, 9]]).propose(np.zeros((6, 8, 3), np.uint8)).boxes
        array([[0., 0., 4., 6.]], dtype=float32)
        """
        height, width = image.shape[:2]
        clipped = np.clip(self.boxes, 0, [width, height] * 2).astype(np.float32)
        for i, (box, inside) in enumerate(zip(self.boxes, clipped, strict=True)):
            x1, y1, x2, y2 = box.tolist()
            if not np.isfinite(box).all():
                raise DataError(f"given box {i} {(x1, y1, x2, y2)} is not finite; give xyxy pixels")
            if x2 <= x1 or y2 <= y1:
                raise DataError(f"given box {i} {(x1, y1, x2, y2)} has no area; give x1 < x2 and y1 < y2 (xyxy pixels)")
            if inside[2] <= inside[0] or inside[3] <= inside[1]:
                raise DataError(
                    f"given box {i} {(x1, y1, x2, y2)} lies outside the {width}x{height} image; "
                    "give pixels of the upright image"
                )
        return Proposals(clipped, np.ones(len(clipped), dtype=np.float32))

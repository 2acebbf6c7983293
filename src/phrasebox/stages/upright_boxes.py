"""Boxes that a data set gives in the picture as it is stored, turned with the picture as EXIF says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from phrasebox.io.images import SIDEWAYS
from phrasebox.types import Box, Caption, Example

_UNSURE = (
    "pictures with boxes are turned by EXIF in a way that the numbers of the boxes do not show, such as a half turn: "
    "their boxes are taken to be of the upright picture; if they are of the stored one, turn the files upright first"
)
_SHARES = (
    "images whose boxes are all from 0 to 1: boxes are pixels; multiply shares by the width and height of the image"
)
_BEYOND = (
    "images with boxes that reach beyond them and are cut: are the numbers in the order of the format (COCO: x, y, "
    "width, height), and of this size of the pictures?"
)
_ROUNDING = 1.02  # share of the image that boxes may reach to


def upright(example: Example, size: tuple[int, int], orientation: int) -> Example:
    """The example with its boxes in the upright image.

    Boxes are taken to be of the stored image if EXIF turns it by a quarter, and the size that the data set states is
    that of the stored image, or, without a stated size, a box is inside the stored image only. Where that cannot be
    told (`is_unsure`), they are taken to be of the upright image.

    Parameters
    ----------
    size : (int, int)
        Width and height of the upright image.
    orientation : int
        EXIF orientation of the file, 1 to 8.
    """
    if orientation not in SIDEWAYS or not _is_of_stored(example, size):
        return example

    def turned(boxes: tuple[Box, ...]) -> tuple[Box, ...]:
        return tuple(turn(box, orientation, size) for box in boxes)

    captions = tuple(
        replace(caption, phrases=tuple(replace(phrase, boxes=turned(phrase.boxes)) for phrase in caption.phrases))
        if caption.phrases
        else caption
        for caption in example.captions
    )
    return replace(example, captions=captions, boxes=turned(example.boxes), size=None if example.size is None else size)


def is_unsure(example: Example, size: tuple[int, int], orientation: int) -> bool:
    """Whether the numbers of an image's boxes do not tell if they are of the stored or of the upright image.

    So it is for a half turn and mirror images, for squares, and for a quarter turn without a stated size if all boxes
    are inside both. Parameters are those of `upright`.
    """
    if orientation == 1 or not (example.boxes or any(_true_boxes(example.captions))):
        return False
    if orientation not in SIDEWAYS or size[0] == size[1]:
        return True
    return example.size is None and not _is_of_stored(example, size) and _all_inside(example, (size[1], size[0]))


def doubt(given: Example, turned: Example, size: tuple[int, int], orientation: int) -> str:
    """What to say of an image whose boxes may not be what they are taken for; empty if there is nothing to say.

    Parameters
    ----------
    given, turned : Example
        Before and after `upright`.
    """
    if is_unsure(given, size, orientation):
        return _UNSURE
    true_size = turned.size or size
    boxes = [(box, size) for box in turned.boxes] + [(box, true_size) for box in _true_boxes(turned.captions)]
    if boxes and all(max(box) <= 1 for box, _ in boxes):
        return _SHARES
    is_beyond = any(box.x2 > _ROUNDING * width + 1 or box.y2 > _ROUNDING * height + 1 for box, (width, height) in boxes)
    return _BEYOND if is_beyond else ""


def turn(box: Box, orientation: int, size: tuple[int, int]) -> Box:
    """A box of an image stored sideways, in the upright image of this width and height.

    Examples
    --------
    >>> [tuple(turn(Box(0, 0, 2, 1), way, (4, 8))) for way in (5, 6, 7, 8)]
    [(0.0, 0.0, 1.0, 2.0), (3.0, 0.0, 4.0, 2.0), (3.0, 6.0, 4.0, 8.0), (0.0, 6.0, 1.0, 8.0)]
    """
    width, height = size
    x1, x2 = (width - box.y2, width - box.y1) if orientation in (6, 7) else (box.y1, box.y2)
    y1, y2 = (height - box.x2, height - box.x1) if orientation in (7, 8) else (box.x1, box.x2)
    return Box(x1, y1, x2, y2)


def _is_of_stored(example: Example, size: tuple[int, int]) -> bool:
    width, height = size
    if width == height:
        return False
    if example.size is not None:
        return example.size == (height, width)
    return not _all_inside(example, size) and _all_inside(example, (height, width))


def _all_inside(example: Example, size: tuple[int, int]) -> bool:
    boxes = (*example.boxes, *_true_boxes(example.captions))
    return all(box.x2 <= size[0] + 1 and box.y2 <= size[1] + 1 for box in boxes)


def _true_boxes(captions: tuple[Caption, ...]) -> Iterator[Box]:
    for caption in captions:
        for phrase in caption.phrases:
            yield from phrase.boxes

"""Florence-2 JSON lines: the phrases of a caption with boxes as location tokens."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from phrasebox.formats._writing import CaptionLine, Written, by_span, write_caption_lines
from phrasebox.types import Box, GroundedCaption, GroundedImage

COORDINATES = "four tokens, corners in thousandths of the picture, 0 to 999"
PICTURES = "named"

_BINS = 1000
_TASK = "<CAPTION_TO_PHRASE_GROUNDING>"


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one line per caption with phrases; a box is four tokens from ``<loc_0>`` to ``<loc_999>``.

    ``image`` is the image's key, ``prefix`` the task and the caption, ``suffix`` the phrases with their boxes. A box
    is x1, y1, x2, y2 in thousandths of the image's width or height, rounded down. A phrase with
    a ``<`` in it has no place in the format and is omitted.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    return write_caption_lines(path, records, _line)


def _line(image: GroundedImage, caption: GroundedCaption) -> CaptionLine | None:
    parts, count = [], 0
    for (start, end), phrases in by_span(caption.phrases):
        if "<" not in caption.text[start:end]:
            parts += [caption.text[start:end], *(location(phrase.box, image.width, image.height) for phrase in phrases)]
            count += len(phrases)
    if not parts:
        return None
    return {"image": image.key, "prefix": _TASK + caption.text, "suffix": "".join(parts)}, count


def location(box: Box, width: int, height: int) -> str:
    """The four location tokens of a box in an image of ``width`` x ``height`` pixels.

    Examples
    --------
    >>> location(Box(0, 5, 100, 50), width=200, height=50)
    '<loc_0><loc_100><loc_500><loc_999>'
    """
    sides = (width, height, width, height)
    bins = (min(math.floor(number / (side / _BINS)), _BINS - 1) for number, side in zip(box, sides, strict=True))
    return "".join(f"<loc_{number}>" for number in bins)

"""Qwen chat JSON lines: the phrases of a caption with boxes as JSON, from 0 to 1000."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from phrasebox.formats._writing import Written
from phrasebox.formats.qwen import whole, write_conversations
from phrasebox.types import Box, GroundedImage

COORDINATES = "xyxy in thousandths of the picture, 0 to 1000"
PICTURES = "named"

_UNITS = 1000


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write as ``qwen``, with boxes from 0 to 1000: thousandths of the image's width and height (Qwen2-VL, Qwen3-VL).

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    return write_conversations(path, records, _thousandths)


def _thousandths(box: Box, image: GroundedImage) -> list[int]:
    return whole(box.scaled(_UNITS / image.width, _UNITS / image.height), _UNITS, _UNITS)

"""Qwen chat JSON lines: the phrases of a caption with boxes as JSON, in pixels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from phrasebox.formats._writing import CaptionLine, Written, by_span, write_caption_lines
from phrasebox.types import Box, GroundedCaption, GroundedImage

COORDINATES = "xyxy in whole pixels, right and bottom exclusive"
PICTURES = "named"

_REQUEST = "<image>\nLocate the phrases of this caption in the image, as JSON: "
Numbers = Callable[[Box, GroundedImage], Sequence[int]]


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one line per caption with phrases; boxes are whole pixels of the image as it is (Qwen2.5-VL).

    A line is a conversation of Qwen's fine-tuning code, with ``image`` (its key), ``width`` and ``height``. The answer
    is a JSON list of ``{"bbox_2d": [x1, y1, x2, y2], "label": phrase}``. For Qwen2-VL and Qwen3-VL, which count from 0
    to 1000, write ``qwen-1000``.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    return write_conversations(path, records, _pixels)


def _pixels(box: Box, image: GroundedImage) -> list[int]:
    return whole(box, image.width, image.height)


def whole(box: Box, width: int, height: int) -> list[int]:
    """The box in whole numbers, inside ``width`` x ``height`` and never empty.

    Examples
    --------
    >>> whole(Box(1.4, 2, 1.6, 4.6), width=9, height=4)
    [1, 2, 2, 4]
    """
    x1, y1 = (min(round(low), side - 1) for low, side in ((box.x1, width), (box.y1, height)))
    x2, y2 = (min(round(high), side) for high, side in ((box.x2, width), (box.y2, height)))
    return [x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)]


def write_conversations(path: Path, records: Iterable[GroundedImage], numbers: Numbers) -> Written:
    """Write one conversation per caption with phrases, with boxes as ``numbers`` makes them.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """

    def line(image: GroundedImage, caption: GroundedCaption) -> CaptionLine | None:
        found = [
            {"bbox_2d": list(numbers(phrase.box, image)), "label": caption.text[start:end]}
            for (start, end), phrases in by_span(caption.phrases)
            for phrase in phrases
        ]
        if not found:
            return None
        # A tag may stand only where the picture is.
        asked = _REQUEST + caption.text.replace("<image>", "< image>").replace("<video>", "< video>")
        conversation = [
            {"from": "human", "value": asked},
            {"from": "gpt", "value": json.dumps(found, ensure_ascii=False)},
        ]
        size = {"width": image.width, "height": image.height}
        return {"image": image.key, **size, "conversations": conversation}, len(found)

    return write_caption_lines(path, records, line)

"""ms-swift JSON lines: captions with phrases and boxes as placeholders, to fine-tune vision-language models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from phrasebox.formats._writing import CaptionLine, Written, without_overlap, write_caption_lines
from phrasebox.types import GroundedCaption, GroundedImage

COORDINATES = "xyxy pixels, right and bottom exclusive"
PICTURES = "named"

_TAG = re.compile(r"(<(?:image|video|audio|ref-object|bbox|start-image)>)")
_REQUEST = "<image>Describe the image, with the box of every phrase."


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one line per caption; boxes are pixels (``bbox_type: real``), which ms-swift converts for each model.

    In the answer every phrase is ``<ref-object>`` with a ``<bbox>`` for each of its boxes, in the order of
    ``objects.ref`` and ``objects.bbox``. ``images`` holds the image's key: set ``ROOT_IMAGE_DIR`` to the images folder.
    Of overlapping phrases the first is written, of equal starts the longest.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    return write_caption_lines(path, records, _line)


def _line(image: GroundedImage, caption: GroundedCaption) -> CaptionLine:
    refs: list[str] = []
    boxes: list[list[float]] = []
    parts: list[str] = []
    at = 0

    def text(start: int, end: int) -> None:
        for part in _TAG.split(caption.text[start:end]):  # a caption may hold a placeholder's name: it is a text then
            if _TAG.fullmatch(part):
                refs.append(part)
                part = "<ref-object>"
            parts.append(part)

    for (start, end), phrases in without_overlap(caption.phrases):
        text(at, start)
        refs.append(caption.text[start:end])
        boxes += [list(phrase.box) for phrase in phrases]
        parts.append("<ref-object>" + "<bbox>" * len(phrases))
        at = end
    text(at, len(caption.text))
    line = {
        "messages": [
            {"role": "user", "content": _REQUEST},
            {"role": "assistant", "content": "".join(parts)},
        ],
        "images": [image.key],
        "objects": {"ref": refs, "bbox": boxes, "bbox_type": "real"},
    }
    return line, len(boxes)

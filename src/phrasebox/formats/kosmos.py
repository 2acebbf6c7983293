"""Kosmos-2 and GrIT: captions with boxes as tokens of a grid, and the rows that GrIT is made of."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from phrasebox.formats._writing import FittedRecords, Written, without_overlap
from phrasebox.io.atomic import replacing_text
from phrasebox.types import Box, GroundedCaption, GroundedImage, Phrase

_CELLS = 32  # on each side of the grid


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write JSON lines, one a caption; ``file_name`` is the image's key, pictures are not copied.

    ``caption``, ``width``, ``height``, ``noun_chunks`` (``[start, end, x1, y1, x2, y2, confidence]``, characters and
    shares of the image) and ``ref_exps`` (none) are a row of GrIT; ``grounded`` is the text Kosmos-2 is trained on. Of
    phrases that overlap, that text marks the one that begins first, the longest of those; ``noun_chunks`` holds all.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    fitted = FittedRecords(records)
    with replacing_text(path) as file:
        for record in fitted:
            for caption in record.captions:
                line = {
                    "file_name": record.key,
                    "width": record.width,
                    "height": record.height,
                    "caption": caption.text,
                    "noun_chunks": [_chunk(phrase, record.width, record.height) for phrase in caption.phrases],
                    "ref_exps": [],
                    "grounded": grounded_text(caption, record.width, record.height),
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return fitted.report()


def grounded_text(caption: GroundedCaption, width: int, height: int) -> str:
    """The caption as Kosmos-2 reads it; a space before a phrase stands inside its tag.

    Examples
    --------
    >>> snowman = Phrase("a snowman", (12, 21), Box(120, 10, 310, 268), 1.0, 1.0)
    >>> grounded_text(GroundedCaption("An image of a snowman.", (snowman,)), width=320, height=320)
    '<grounding> An image of<phrase> a snowman</phrase><object><patch_index_0044><patch_index_0862></object>.'
    """
    text, parts, at = f" {caption.text}", ["<grounding>"], 0
    for (start, end), phrases in without_overlap(caption.phrases):
        first = start if text[start] == " " and start >= at else start + 1  # ``text`` is one longer in front
        parts += [text[at:first], f"<phrase>{text[first : end + 1]}</phrase>"]
        parts.append(_object([phrase.box for phrase in phrases], width, height))
        at = end + 1
    return "".join([*parts, text[at:]])


def patch_indices(box: Box, width: int, height: int) -> tuple[int, int]:
    """Cells ``32 row + column`` of the box's first and last point.

    Examples
    --------
    >>> patch_indices(Box(0, 0, 64, 64), width=64, height=64), patch_indices(Box(1, 1, 2, 2), width=64, height=64)
    ((0, 1023), (0, 0))
    """
    left, top = (math.floor(_CELLS * x / side) for x, side in ((box.x1, width), (box.y1, height)))
    right, bottom = (math.ceil(_CELLS * x / side) - 1 for x, side in ((box.x2, width), (box.y2, height)))
    return _CELLS * top + left, _CELLS * bottom + right


def _object(boxes: Sequence[Box], width: int, height: int) -> str:
    pairs = (patch_indices(box, width, height) for box in boxes)
    tokens = (f"<patch_index_{first:04}><patch_index_{last:04}>" for first, last in pairs)
    return f"<object>{'</delimiter_of_multi_objects/>'.join(tokens)}</object>"


def _chunk(phrase: Phrase, width: int, height: int) -> list[float]:
    x1, y1, x2, y2 = phrase.box
    return [*phrase.span, x1 / width, y1 / height, x2 / width, y2 / height, phrase.confidence]

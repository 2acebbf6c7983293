"""Kosmos-2 and GrIT: captions with boxes as grid tokens, and GrIT's columns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from phrasebox.errors import DataError
from phrasebox.formats._assembling import RawCaption, RawPhrase, as_list, sides
from phrasebox.formats._caption_lines import RawLine, read_lines
from phrasebox.formats._reading import files_like, only_file
from phrasebox.formats._writing import CaptionLine, Written, without_overlap, write_caption_lines
from phrasebox.types import Box, Example, GroundedCaption, GroundedImage, Phrase, Remark, Skipped

LAYOUT = '*.jsonl with lines of "file_name", "width", "height", "caption" and "noun_chunks" (Kosmos-2, GrIT)'
COORDINATES = "grounded: corner cells of a grid of 32 x 32; noun_chunks: xyxy as shares of the picture"
PICTURES = "named"
_CELLS = 32  # on each side of the grid
_TAG = re.compile(r"</?(?:grounding|phrase|object|delimiter_of_multi_objects/|patch_index_\d+)>")


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(_files(source))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read captions with their phrases and boxes, of ``noun_chunks`` and ``ref_exps``.

    Lines of one ``file_name`` are one image; they may be anywhere and are grouped on disk. ``grounded``, whose boxes
    are coarser, is not read. The split is taken from the file's name, else it is ``train``.

    Parameters
    ----------
    source : Path
        The JSONL file, or a folder with one.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    return read_lines(only_file(source, _files(source), LAYOUT), images, _read_line)


def _read_line(line: dict[str, Any]) -> RawLine:
    size = sides(line)
    if size is None:
        raise DataError("the line has no width and height, which its boxes are shares of")
    chunks = [chunk for name in ("noun_chunks", "ref_exps") for chunk in as_list(line.get(name))]
    phrases = [_phrase(chunk, *size) for chunk in chunks]
    return RawLine(line.get("file_name"), RawCaption(line.get("caption"), phrases), size)


def _phrase(chunk: Any, width: float, height: float) -> RawPhrase:
    """A phrase with its box in pixels, to 1/100; what is no chunk becomes a phrase that is refused.

    >>> _phrase([0, 5, 0.1, 0.2, 0.5, 1, 0.9], width=40, height=30)
    RawPhrase(text=None, spans=[[0, 5]], boxes=[[4.0, 6.0, 20.0, 30.0]])
    """
    try:
        start, end, *shares = as_list(chunk)[:6]
        sides = (width, height, width, height)
        box = [round(float(share) * side, 2) for share, side in zip(shares, sides, strict=True)]
    except (TypeError, ValueError, OverflowError):
        return RawPhrase([chunk])
    return RawPhrase(None, [[start, end]], [box])


def _files(source: Path) -> list[Path]:
    return files_like(source, "*.jsonl", (".jsonl", ".json", ""), _looks_right)


def _looks_right(start: bytes) -> bool:
    return all(name in start for name in (b'"file_name"', b'"caption"', b'"noun_chunks"'))


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one JSON line per caption; ``file_name`` is the image's key, images are not copied.

    ``caption``, ``width``, ``height``, ``noun_chunks`` (``[start, end, x1, y1, x2, y2, confidence]``: characters, and
    box corners as fractions of the image) and ``ref_exps`` (empty) are GrIT's columns. ``grounded`` is the training
    text of Kosmos-2; of overlapping phrases it marks the first, of equal starts the longest. A caption that has such a
    tag itself is left out.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    return write_caption_lines(path, records, _line)


def _line(image: GroundedImage, caption: GroundedCaption) -> CaptionLine:
    if tag := _TAG.search(caption.text):
        raise DataError(f"it contains {tag[0]!r}, a tag of Kosmos-2")
    line: dict[str, object] = {
        "file_name": image.key,
        "width": image.width,
        "height": image.height,
        "caption": caption.text,
        "noun_chunks": [_chunk(phrase, image.width, image.height) for phrase in caption.phrases],
        "ref_exps": [],
        "grounded": grounded_text(caption, image.width, image.height),
    }
    return line, len(caption.phrases)


def grounded_text(caption: GroundedCaption, width: int, height: int) -> str:
    """The caption in Kosmos-2's training format; the space before a phrase is inside its tag.

    Examples
    --------
    >>> snowman = Phrase("a snowman", (12, 21), Box(120, 10, 310, 268), 1.0, 1.0)
    >>> grounded_text(GroundedCaption("An image of a snowman.", (snowman,)), width=320, height=320)
    '<grounding> An image of<phrase> a snowman</phrase><object><patch_index_0044><patch_index_0862></object>.'
    """
    text, parts, at = f" {caption.text}", ["<grounding>"], 0
    for (start, end), phrases in without_overlap(caption.phrases):
        first = start if text[start] == " " and start >= at else start + 1  # ``text`` has one more character in front
        parts += [text[at:first], f"<phrase>{text[first : end + 1]}</phrase>"]
        parts.append(_object([phrase.box for phrase in phrases], width, height))
        at = end + 1
    return "".join([*parts, text[at:]])


def patch_indices(box: Box, width: int, height: int) -> tuple[int, int]:
    """Grid cells (``32 row + column``) of the box's top left and bottom right corner.

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

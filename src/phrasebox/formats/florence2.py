"""Florence-2 JSON lines: the phrases of a caption with boxes as location tokens."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from phrasebox.errors import DataError
from phrasebox.formats._caption_lines import THOUSANDTHS, RawLine, by_label, read_lines
from phrasebox.formats._reading import files_like, only_file
from phrasebox.formats._writing import CaptionLine, Written, by_span, write_caption_lines
from phrasebox.types import Box, Example, GroundedCaption, GroundedImage, Remark, Skipped

LAYOUT = (
    '*.jsonl with lines of "image", "prefix" (<CAPTION_TO_PHRASE_GROUNDING> and a caption) and "suffix" (Florence-2)'
)
COORDINATES = "four tokens, corners in thousandths of the picture, 0 to 999"
PICTURES = "named"

_BINS = 1000
_TASK = "<CAPTION_TO_PHRASE_GROUNDING>"
_PHRASE = re.compile(r"([^<]+)((?:<loc_\d{1,4}>){4,})")


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(_files(source))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read captions with their phrases and boxes, in thousandths of the image: the middle of each token's range.

    Lines of other tasks are skipped. Words that come again in the answer are those that come next in the caption. The
    split is taken from the file's name, else it is ``train``.

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
    prefix, suffix = line.get("prefix"), line.get("suffix")
    if not isinstance(prefix, str) or not isinstance(suffix, str):
        raise DataError("the line has no prefix and suffix")
    if not prefix.startswith(_TASK):
        raise DataError(f"its task is another than {_TASK}")
    found = [(words, _boxes(tokens)) for words, tokens in _PHRASE.findall(suffix)]
    return RawLine(line.get("image"), by_label(prefix.removeprefix(_TASK), found), THOUSANDTHS)


def _boxes(tokens: str) -> list[list[float]]:
    """Boxes in thousandths.

    >>> _boxes("<loc_0><loc_100><loc_500><loc_999>")
    [[0.5, 100.5, 500.5, 999.5]]
    """
    numbers = [int(number) + 0.5 for number in re.findall(r"\d+", tokens)]
    return [numbers[first : first + 4] for first in range(0, len(numbers) - 3, 4)]


def _files(source: Path) -> list[Path]:
    return files_like(source, "*.jsonl", (".jsonl", ".json"), _looks_right)


def _looks_right(start: bytes) -> bool:
    return b'"prefix"' in start and b'"suffix"' in start and _TASK.encode() in start


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

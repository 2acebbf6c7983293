"""Qwen chat JSON lines: the phrases of a caption with boxes as JSON, in pixels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from phrasebox.errors import DataError
from phrasebox.formats._assembling import as_list
from phrasebox.formats._caption_lines import RawLine, by_label, read_lines
from phrasebox.formats._reading import files_like, only_file
from phrasebox.formats._writing import CaptionLine, Written, by_span, write_caption_lines
from phrasebox.types import Box, Example, GroundedCaption, GroundedImage, Remark, Skipped

LAYOUT = '*.jsonl as export writes it: "conversations" about the phrases of a caption, boxes in pixels (Qwen)'
COORDINATES = "xyxy in whole pixels, right and bottom exclusive"
PICTURES = "named"

_REQUEST = "<image>\nLocate the phrases of this caption in the image, as JSON: "
_ESCAPED = ("<image>", "< image>"), ("<video>", "< video>")  # a tag may stand only where the picture is
Numbers = Callable[[Box, GroundedImage], Sequence[int]]


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(conversation_files(source, _REQUEST))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read the captions of questions that export writes, with the phrases and boxes of the answers.

    Words that come again in the answer belong to their next place in the caption, if there is one. The split is
    taken from the file's name, else it is ``train``.

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
    file = only_file(source, conversation_files(source, _REQUEST), LAYOUT)
    return read_lines(file, images, lambda line: conversation(line, _REQUEST, (line.get("width"), line.get("height"))))


def conversation_files(source: Path, request: str) -> list[Path]:
    """The files whose conversations begin with this request."""
    begins = json.dumps(request)[1:-1].encode()
    return files_like(source, "*.jsonl", (".jsonl", ".json"), lambda start: begins in start and b"bbox_2d" in start)


def conversation(line: dict[str, Any], request: str, size: tuple[object, object]) -> RawLine:
    """A line that `write_conversations` wrote; boxes refer to an image of this size.

    Raises
    ------
    DataError
        If it is another.
    """
    turns = [turn.get("value") for turn in as_list(line.get("conversations")) if isinstance(turn, dict)]
    asked, answer = turns if len(turns) == 2 else (None, None)
    if not isinstance(asked, str) or not isinstance(answer, str) or not asked.startswith(request):
        raise DataError("its conversation is not one that export writes")
    try:
        found = [(str(one["label"]), [one["bbox_2d"]]) for one in json.loads(answer)]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError("its answer is no JSON list of bbox_2d and label") from None
    caption = asked.removeprefix(request)
    for tag, escaped in _ESCAPED:
        caption = caption.replace(escaped, tag)
    return RawLine(line.get("image"), by_label(caption, found), size)


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
    return write_conversations(path, records, _REQUEST, _pixels)


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


def write_conversations(path: Path, records: Iterable[GroundedImage], request: str, numbers: Numbers) -> Written:
    """Write one conversation per caption with phrases: ``request`` and the caption, and boxes that ``numbers`` makes.

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
        asked = caption.text
        for tag, escaped in _ESCAPED:
            asked = asked.replace(tag, escaped)
        turns = [
            {"from": "human", "value": request + asked},
            {"from": "gpt", "value": json.dumps(found, ensure_ascii=False)},
        ]
        size = {"width": image.width, "height": image.height}
        return {"image": image.key, **size, "conversations": turns}, len(found)

    return write_caption_lines(path, records, line)

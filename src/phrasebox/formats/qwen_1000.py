"""Qwen chat JSON lines: the phrases of a caption with boxes as JSON, from 0 to 1000."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from phrasebox.formats._caption_lines import THOUSANDTHS, read_lines
from phrasebox.formats._reading import only_file
from phrasebox.formats._writing import Written
from phrasebox.formats.qwen import conversation, conversation_files, whole, write_conversations
from phrasebox.types import Box, Example, GroundedImage, Remark, Skipped

LAYOUT = '*.jsonl as export writes it: "conversations" about the phrases of a caption, boxes from 0 to 1000 (Qwen)'
COORDINATES = "xyxy in thousandths of the picture, 0 to 1000"
PICTURES = "named"

_UNITS = 1000
_REQUEST = "<image>\nLocate the phrases of this caption in the image, as JSON with boxes from 0 to 1000: "


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(conversation_files(source, _REQUEST))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read as ``qwen``; boxes are in thousandths of the image.

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
    return read_lines(file, images, lambda line: conversation(line, _REQUEST, THOUSANDTHS))


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write as ``qwen``, with boxes from 0 to 1000: thousandths of the image's width and height (Qwen2-VL, Qwen3-VL).

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    return write_conversations(path, records, _REQUEST, _thousandths)


def _thousandths(box: Box, image: GroundedImage) -> list[int]:
    return whole(box.scaled(_UNITS / image.width, _UNITS / image.height), _UNITS, _UNITS)

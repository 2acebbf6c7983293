"""ms-swift JSON lines: captions with phrases and boxes as placeholders, to fine-tune vision-language models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from phrasebox.errors import DataError
from phrasebox.formats._assembling import RawCaption, RawPhrase, as_list
from phrasebox.formats._caption_lines import RawLine, read_lines
from phrasebox.formats._reading import files_like, only_file
from phrasebox.formats._writing import CaptionLine, Written, without_overlap, write_caption_lines
from phrasebox.types import Example, GroundedCaption, GroundedImage, Remark, Skipped

LAYOUT = '*.jsonl with lines of "messages", "images" and "objects" with "ref" and "bbox" (ms-swift)'
COORDINATES = "xyxy pixels, right and bottom exclusive"
PICTURES = "named"

_TAG = re.compile(r"(<(?:image|video|audio|ref-object|bbox|start-image)>)")
_REQUEST = "<image>Describe the image, with the box of every phrase."
_SIZES = {"real": None, "norm1": (1, 1)}  # bbox_type -> width and height that boxes refer to


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(_files(source))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read answers as captions, with a phrase for every ``<ref-object>`` that a ``<bbox>`` follows.

    Boxes may be of any ``bbox_type``. Lines of several pictures, and answers without words, are skipped. The split is
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
    return read_lines(only_file(source, _files(source), LAYOUT), images, _read_line)


def _read_line(line: dict[str, Any]) -> RawLine:
    pictures = [one.get("path") if isinstance(one, dict) else one for one in as_list(line.get("images"))]
    if len(pictures) != 1:
        raise DataError(f"the line has {len(pictures)} pictures; one of one picture can be read")
    objects = line.get("objects")
    objects = objects if isinstance(objects, dict) else {}
    kind = objects.get("bbox_type") or "real"
    if not isinstance(kind, str) or kind not in _SIZES:
        raise DataError(f"its bbox_type is none of {', '.join(_SIZES)}")
    refs, boxes = iter(as_list(objects.get("ref"))), iter(as_list(objects.get("bbox")))
    text, phrases = "", []
    for message in as_list(line.get("messages")):
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            raise DataError("its messages are not texts")
        said, own = _filled(message["content"], refs, boxes)
        if message.get("role") == "assistant" and not text:
            text, phrases = said, own
    if not text.strip():
        raise DataError("its answer has no words")
    return RawLine(pictures[0], RawCaption(text, phrases), _SIZES[kind])


def _filled(content: str, refs: Iterator[Any], boxes: Iterator[Any]) -> tuple[str, list[RawPhrase]]:
    """A message with its placeholders filled in turn, and the phrases that have boxes."""
    text, found = "", []
    for part in _TAG.split(content):
        if part == "<ref-object>":
            part = str(next(refs, ""))
            found.append((len(text), len(text) + len(part), []))
        elif part == "<bbox>":
            box = next(boxes, None)
            if found:
                found[-1][2].append(box)
            continue
        elif _TAG.fullmatch(part):
            continue
        text += part
    return text, [RawPhrase(None, [[start, end]], own) for start, end, own in found if own and start < end]


def _files(source: Path) -> list[Path]:
    return files_like(source, "*.jsonl", (".jsonl", ".json"), _looks_right)


def _looks_right(start: bytes) -> bool:
    return all(name in start for name in (b'"messages"', b'"images"', b'"objects"', b'"bbox"'))


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

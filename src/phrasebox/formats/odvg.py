"""ODVG JSONL, the training format of MM-Grounding-DINO: one caption of an image per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from phrasebox.errors import DataError
from phrasebox.formats._assembling import RawCaption, RawPhrase, as_list
from phrasebox.formats._caption_lines import RawLine, read_lines
from phrasebox.formats._reading import files_like, only_file
from phrasebox.formats._writing import CaptionLine, Written, by_span, write_caption_lines
from phrasebox.types import Example, GroundedCaption, GroundedImage, Phrase, Remark, Skipped

LAYOUT = '*.jsonl with lines of "filename" and "grounding" (or "detection") (ODVG)'
COORDINATES = "xyxy pixels, right and bottom exclusive"
PICTURES = "named"

_CONTENT = "grounding", "detection"


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(_files(source))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read captions with their phrases and boxes; the boxes of ``detection`` lines are user boxes.

    Lines of one ``filename`` are one image; they may be anywhere and are grouped on disk. The span of a region without
    ``tokens_positive`` is the first occurrence of its phrase in the caption. The split is taken from the file's name,
    else it is ``train``.

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
    yield from read_lines(only_file(source, _files(source), LAYOUT), images, _read_line)


def _read_line(line: dict[str, Any]) -> RawLine:
    grounding, detection = (part if isinstance(part, dict) else None for part in map(line.get, _CONTENT))
    if not isinstance(line.get("filename"), str | int):
        raise DataError("the line has no filename")
    if grounding is None and detection is None:
        raise DataError("the line has no grounding")
    caption = None if grounding is None else _caption(grounding)
    instances = as_list(detection.get("instances")) if detection else []
    boxes = [one.get("bbox") for one in instances if isinstance(one, dict)]
    return RawLine(line["filename"], caption, (line.get("width"), line.get("height")), boxes)


def _caption(grounding: dict[str, Any]) -> RawCaption:
    phrases = []
    for region in as_list(grounding.get("regions")):
        if isinstance(region, dict):
            boxes = region.get("bbox")
            one = isinstance(boxes, list) and bool(boxes) and not isinstance(boxes[0], list)
            phrases.append(RawPhrase(region.get("phrase"), region.get("tokens_positive"), [boxes] if one else boxes))
    return RawCaption(grounding.get("caption"), phrases)


def _files(source: Path) -> list[Path]:
    return files_like(source, "*.jsonl", (".jsonl", ".json"), _looks_right)


def _looks_right(start: bytes) -> bool:
    return b'"filename"' in start and (b'"grounding"' in start or b'"detection"' in start)


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one line per caption; ``filename`` is the image's key, relative to the images folder.

    Raises
    ------
    DataError
        If ``path`` is a folder.
    """
    return write_caption_lines(path, records, _line)


def _line(image: GroundedImage, caption: GroundedCaption) -> CaptionLine:
    grounding = {"caption": caption.text, "regions": _regions(caption.phrases)}
    line = {"filename": image.key, "height": image.height, "width": image.width, "grounding": grounding}
    return line, len(caption.phrases)


def _regions(phrases: Sequence[Phrase]) -> list[dict[str, object]]:
    """Regions in the order of their phrases; several boxes of one span are one region."""
    regions = []
    for span, same in by_span(phrases):
        boxes = [list(phrase.box) for phrase in same]
        bbox = boxes if len(boxes) > 1 else boxes[0]
        region = {"bbox": bbox, "phrase": same[0].text, "tokens_positive": [list(span)]}
        if masks := [phrase.mask for phrase in same if phrase.mask is not None]:
            region["segmentation"] = masks if len(boxes) > 1 else masks[0]
        regions.append(region)
    return regions

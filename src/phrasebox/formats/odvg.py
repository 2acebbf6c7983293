"""ODVG JSONL, the training format of MM-Grounding-DINO: one caption of an image per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from phrasebox.formats._assembling import RawCaption, RawPhrase, as_list, assemble
from phrasebox.formats._disk_grouping import GroupedOnDisk
from phrasebox.formats._lines import json_objects
from phrasebox.formats._names import PictureNames
from phrasebox.formats._reading import files_like, only_file, split_in_name
from phrasebox.formats._writing import CaptionLine, Written, by_span, write_caption_lines
from phrasebox.types import Example, GroundedCaption, GroundedImage, Phrase, Remark, Skipped

LAYOUT = '*.jsonl with lines of "filename" and "grounding" (or "detection") (ODVG)'
COORDINATES = "xyxy pixels, right and bottom exclusive"
PICTURES = "named"


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
    file = only_file(source, _files(source), LAYOUT)
    names = PictureNames(images, file.parent)
    split = split_in_name(file.name) or "train"
    with GroupedOnDisk() as gathered:
        for item in json_objects(file):
            if isinstance(item, Skipped):
                yield item
                continue
            place, line = item
            content = line.get("grounding"), line.get("detection")
            if not isinstance(line.get("filename"), str | int):
                yield Skipped(place, "the line has no filename", "row")
            elif not any(isinstance(part, dict) for part in content):
                yield Skipped(place, "the line has no grounding", "row")
            elif isinstance(picture := names.seek(line["filename"], place), Skipped):
                yield picture
            else:
                gathered.add(picture.key, (line.get("width"), line.get("height"), *content))
        for key, lines in gathered:
            captions = [_caption(grounding) for _, _, grounding, _ in lines if isinstance(grounding, dict)]
            found = [as_list(detection.get("instances")) for *_, detection in lines if isinstance(detection, dict)]
            boxes = [one.get("bbox") for instances in found for one in instances if isinstance(one, dict)]
            yield from assemble(names.find(key), captions, split, size=lines[0][:2], boxes=boxes)
    yield from names.remarks()


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

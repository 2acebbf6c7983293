"""COCO detections: read boxes with the names of their categories; write the phrases as boxes of classes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from phrasebox.errors import DataError
from phrasebox.formats._assembling import pixel_box
from phrasebox.formats._classes import Classes, ClassIndex
from phrasebox.formats._json_stream import arrays
from phrasebox.formats._writing import FittedRecords, JsonArray, Written, xywh
from phrasebox.formats.coco import file_names, image_entry, writing
from phrasebox.types import MOST_PIXELS, Box, GroundedImage

COORDINATES = "xywh pixels, left top corner and size"
PICTURES = "named"


@dataclass(frozen=True, slots=True)
class ImageBoxes:
    """The boxes of an image by the name of their category, in pixels of ``size`` (width, height), if that is stated."""

    size: tuple[int, int] | None
    boxes: dict[str, list[Box]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Detections:
    """Boxes with category names.

    Attributes
    ----------
    categories : tuple of str
        Names of all categories of the file.
    images : mapping of str to ImageBoxes
        By ``file_name`` (`file_names`), also images without boxes.
    left_out : int
        Number of annotations without a box of positive size, or of an unknown image or category.
    """

    categories: tuple[str, ...]
    images: Mapping[str, ImageBoxes]
    left_out: int = 0


def read_boxes(path: Path, wanted: Collection[str]) -> Detections:
    """Read the boxes of the images whose ``file_name`` is wanted; the boxes of crowds (``iscrowd``) too.

    The file is read twice, as annotations may come before what they refer to; the boxes are kept in memory.

    Raises
    ------
    DataError
        If the file is not such JSON, or has none of the wanted images.
    """
    names: dict[str, str] = {}
    files: dict[str, str] = {}
    images: dict[str, ImageBoxes] = {}
    first = ""
    for kind, entry in arrays(path, ("images", "categories")):
        if not isinstance(entry, dict):
            continue
        number, name = str(entry.get("id")), entry.get("name")
        if kind == "images":
            told = file_names(entry)
            name = next((one for one in told if one in wanted), told[0] if told else None)
        if not isinstance(name, str):
            continue
        if kind == "categories":
            names[number] = name
            continue
        first = first or name
        files[number] = name
        if name in wanted:
            images.setdefault(name, ImageBoxes(_size(entry)))
    if not images:
        named = f"its first file_name is {first!r}" if first else "it has no file_name"
        here = f"{min(wanted)!r} is one of the workspace's; " if wanted else ""
        raise DataError(f"{path} names no image of the workspace: {named}, {here}give images the same names in both")
    left_out = 0
    for _, entry in arrays(path, ("annotations",)):
        try:
            key, name = files[str(entry["image_id"])], names[str(entry["category_id"])]
            if key in images:
                images[key].boxes.setdefault(name, []).append(pixel_box(entry["bbox"], "xywh"))
        except (DataError, KeyError, TypeError):
            left_out += 1
    return Detections(tuple(names.values()), images, left_out)


def _size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = entry.get("width"), entry.get("height")
    if (
        isinstance(width, int)
        and isinstance(height, int)
        and 0 < min(width, height) <= max(width, height) < MOST_PIXELS
    ):
        return width, height
    return None


def write(path: Path, records: Iterable[GroundedImage], classes: Classes | None = None) -> Written:
    """Write one JSON file with one entry an image that has phrases; pictures are named, not copied.

    A category is the class of a phrase, numbered from 1; the annotation's ``phrase`` is what the caption says. Captions
    have no place in it.

    Parameters
    ----------
    classes : Classes, optional
        The class of each phrase; by default its head noun.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    classes = classes or Classes()
    fitted, index = FittedRecords(records, classes), ClassIndex(classes)
    with writing(path, partial(_finish, index)) as (images, annotations):
        annotation_ids = count(1)
        for image_id, record in enumerate(fitted, start=1):
            images.add(image_entry(image_id, record))
            for annotation in _annotations(record, image_id, annotation_ids, index):
                annotations.add(annotation)
    return fitted.report()


def _finish(index: ClassIndex, file: TextIO) -> None:
    file.write('\n], "categories": [')
    categories = JsonArray(file)
    for number, name in enumerate(index, start=1):
        categories.add({"id": number, "name": name})
    file.write("\n]}\n")


def _annotations(
    record: GroundedImage, image_id: int, ids: Iterator[int], index: ClassIndex
) -> Iterator[dict[str, Any]]:
    for caption in record.captions:
        for phrase in caption.phrases:
            yield {
                "id": next(ids),
                "image_id": image_id,
                "category_id": index.of(phrase.text) + 1,
                "bbox": xywh(phrase.box),
                "area": round(phrase.box.area, 2),
                "iscrowd": 0,
                "phrase": phrase.text,
            }

"""COCO detections: a box for every phrase of an image, with the phrase as its category or its caption."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from phrasebox.formats._disk_grouping import NumberedNames
from phrasebox.formats._writing import FittedRecords, JsonArray, Written, xywh
from phrasebox.formats.coco import image_entry, writing
from phrasebox.types import GroundedImage

_ONE = "phrase"


def write(path: Path, records: Iterable[GroundedImage], categories: bool = True) -> Written:
    """Write one JSON file with one entry an image; captions have no place in it, pictures are named, not copied.

    Parameters
    ----------
    categories : bool
        Every phrase, as it is written, is a category. Otherwise there is one category, ``phrase``, and the words
        are the annotation's ``caption``.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    fitted = FittedRecords(records)
    with NumberedNames() as names, writing(path, partial(_finish, names)) as (images, annotations):
        if not categories:
            names.of(_ONE)
        annotation_ids = count(1)
        for image_id, record in enumerate(fitted, start=1):
            images.add(image_entry(image_id, record))
            for annotation in _annotations(record, image_id, annotation_ids, names if categories else None):
                annotations.add(annotation)
    return fitted.report()


def _finish(names: NumberedNames, file: TextIO) -> None:
    file.write('\n], "categories": [')
    categories = JsonArray(file)
    for number, name in names:
        categories.add({"id": number, "name": name})
    file.write("\n]}\n")


def _annotations(
    record: GroundedImage, image_id: int, ids: Iterator[int], names: NumberedNames | None
) -> Iterator[dict[str, Any]]:
    for caption in record.captions:
        for phrase in caption.phrases:
            yield {
                "id": next(ids),
                "image_id": image_id,
                "category_id": names.of(phrase.text) if names else 1,
                "bbox": xywh(phrase.box),
                "area": round(phrase.box.area, 2),
                "iscrowd": 0,
                **({} if names else {"caption": phrase.text}),
            }

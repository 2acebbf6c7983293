"""COCO detections: a box for every phrase of an image, with the phrase as its category or its caption."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from phrasebox.formats._disk_grouping import Numbered
from phrasebox.formats._writing import FittedRecords, Written, append_element, replacing, xywh
from phrasebox.types import GroundedImage

_ONE = "phrase"


def write(path: Path, records: Iterable[GroundedImage], categories: bool = True) -> Written:
    """Write one JSON file with one entry an image; captions have no place in it, pictures are named, not copied.

    ``file_name`` is the image's key. Annotations and categories wait on disk, so memory does not grow with the data.

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
    with (
        replacing(path) as part,
        part.open("w", encoding="utf-8", newline="\n") as file,
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n", dir=path.parent) as spool,
        Numbered() as names,
    ):
        if not categories:
            names.of(_ONE)
        annotation_ids = count(1)
        file.write('{"images": [')
        for image_id, record in enumerate(fitted, start=1):
            entry = {"id": image_id, "file_name": record.key, "width": record.width, "height": record.height}
            append_element(file, entry, first=image_id == 1)
            for annotation in _annotations(record, image_id, annotation_ids, names if categories else None):
                append_element(spool, annotation, first=annotation["id"] == 1)
        file.write('\n], "annotations": [')
        spool.seek(0)
        shutil.copyfileobj(spool, file)
        file.write('\n], "categories": [')
        for number, name in names:
            append_element(file, {"id": number, "name": name}, first=number == 1)
        file.write("\n]}\n")
    return fitted.report()


def _annotations(
    record: GroundedImage, image_id: int, ids: Iterator[int], names: Numbered | None
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

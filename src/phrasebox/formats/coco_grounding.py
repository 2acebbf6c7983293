"""COCO with captions and character spans, as MDETR and GoldG train on: one image entry for every caption."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import TextIO

from phrasebox.formats._writing import FittedRecords, Written, append_element, replacing, xywh
from phrasebox.types import GroundedImage

_PHRASE = {"id": 1, "name": "phrase"}


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one JSON file; ``file_name`` is the image's key, so it is relative to the images folder.

    Annotations wait in a temporary file beside ``path``, so memory does not grow with the data.

    Raises
    ------
    DataError
        If ``path`` is a folder.
    """
    fitted = FittedRecords(records)
    with (
        replacing(path) as part,
        part.open("w", encoding="utf-8") as file,
        tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent) as spool,
    ):
        file.write('{"images": [')
        _write_entries(fitted, file, spool)
        file.write('\n], "annotations": [')
        spool.seek(0)
        shutil.copyfileobj(spool, file)
        file.write(f'\n], "categories": [{json.dumps(_PHRASE)}]}}\n')
    return fitted.report()


def _write_entries(records: Iterable[GroundedImage], images: TextIO, annotations: TextIO) -> None:
    image_ids, annotation_ids = count(1), count(1)
    for record in records:
        for caption in record.captions:
            image_id = next(image_ids)
            entry = {
                "id": image_id,
                "file_name": record.key,
                "width": record.width,
                "height": record.height,
                "caption": caption.text,
            }
            append_element(images, entry, first=image_id == 1)
            for phrase in caption.phrases:
                annotation_id = next(annotation_ids)
                annotation = {
                    "id": annotation_id,
                    "image_id": image_id,
                    "category_id": _PHRASE["id"],
                    "bbox": xywh(phrase.box),
                    "area": round(phrase.box.area, 2),
                    "iscrowd": 0,
                    "tokens_positive": [list(phrase.span)],
                }
                append_element(annotations, annotation, first=annotation_id == 1)

"""COCO with captions and character spans, as MDETR and GoldG train on: one image entry for every caption."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from phrasebox.formats._writing import FittedRecords, Written, xywh
from phrasebox.formats.coco import image_entry, writing
from phrasebox.types import GroundedImage

COORDINATES = "xywh pixels, left top corner and size"
PICTURES = "named"
_PHRASE = {"id": 1, "name": "phrase"}
_END = f'\n], "categories": [{json.dumps(_PHRASE)}]}}\n'


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one JSON file; pictures are named, not copied.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    fitted = FittedRecords(records)
    image_ids, annotation_ids = count(1), count(1)
    with writing(path, lambda file: file.write(_END)) as (images, annotations):
        for record in fitted:
            for caption in record.captions:
                image_id = next(image_ids)
                images.add(image_entry(image_id, record) | {"caption": caption.text})
                for phrase in caption.phrases:
                    annotation = {
                        "id": next(annotation_ids),
                        "image_id": image_id,
                        "category_id": _PHRASE["id"],
                        "bbox": xywh(phrase.box),
                        "area": round(phrase.box.area, 2),
                        "iscrowd": 0,
                        "tokens_positive": [list(phrase.span)],
                        **({} if phrase.mask is None else {"segmentation": phrase.mask}),
                    }
                    annotations.add(annotation)
    return fitted.report()

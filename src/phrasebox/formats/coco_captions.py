"""COCO captions: image entries, and an annotation for every caption."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from phrasebox.formats._writing import Written
from phrasebox.formats.coco import image_entry, writing
from phrasebox.types import GroundedImage

COORDINATES = "none"
PICTURES = "named"
_BEGIN = '"info": {}, "licenses": [], "type": "captions", '


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one JSON file with the captions; phrases have no place in it, pictures are named, not copied.

    Images and annotations are numbered from 1 in the order of ``records``: `coco_results.write` gives the same images
    the same ids.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    captions = 0
    with writing(path, lambda file: file.write("\n]}\n"), _BEGIN) as (images, annotations):
        for image_id, record in enumerate(records, start=1):
            images.add(image_entry(image_id, record))
            for caption in record.captions:
                captions += 1
                annotations.add({"id": captions, "image_id": image_id, "caption": caption.text})
    return Written(captions)

"""COCO caption results: what a captioner said, to be scored against a COCO captions file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from phrasebox.formats._writing import JsonArray, Written
from phrasebox.io.atomic import replacing_text
from phrasebox.types import GroundedImage

COORDINATES = "none"
PICTURES = "not named"


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one JSON list of ``image_id`` and ``caption``; pictures are not part of it.

    Images are numbered from 1 in the order of ``records``, as `coco_captions.write` numbers them. Every caption of an
    image is written; the scorers of COCO want one an image.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    captions = 0
    with replacing_text(path) as file:
        file.write("[")
        results = JsonArray(file)
        for image_id, record in enumerate(records, start=1):
            for caption in record.captions:
                captions += 1
                results.add({"image_id": image_id, "caption": caption.text})
        file.write("\n]\n")
    return Written(captions)

"""COCO captions: image entries, and an annotation for every caption."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from phrasebox.formats._writing import Written, append_element, replacing
from phrasebox.types import GroundedImage


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one JSON file with the captions; phrases have no place in it, pictures are named, not copied.

    ``file_name`` is the image's key, so it is relative to the images folder. Images and annotations are numbered from
    1 in the order of ``records``: `coco_results.write` gives the same images the same ids.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    captions = 0
    with (
        replacing(path) as part,
        part.open("w", encoding="utf-8", newline="\n") as file,
        # Annotations wait here, so that memory does not grow with the data.
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n", dir=path.parent) as spool,
    ):
        file.write('{"info": {}, "licenses": [], "type": "captions", "images": [')
        for image_id, record in enumerate(records, start=1):
            entry = {"id": image_id, "file_name": record.key, "width": record.width, "height": record.height}
            append_element(file, entry, first=image_id == 1)
            for caption in record.captions:
                captions += 1
                annotation = {"id": captions, "image_id": image_id, "caption": caption.text}
                append_element(spool, annotation, first=captions == 1)
        file.write('\n], "annotations": [')
        spool.seek(0)
        shutil.copyfileobj(spool, file)
        file.write("\n]}\n")
    return Written(captions)

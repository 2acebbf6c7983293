"""SA-Co JSON, the format of Segment Anything with Concepts (SAM 3): a noun phrase and its boxes for every entry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from phrasebox.formats import coco
from phrasebox.formats._disk_grouping import NumberedNames
from phrasebox.formats._reading import files_like, only_file
from phrasebox.formats._writing import FittedRecords, Written
from phrasebox.formats.coco import image_entry, writing
from phrasebox.types import Box, Example, GroundedImage, Remark, Skipped

LAYOUT = '*.json with "images" (file_name, text_input, width, height) and "annotations" with boxes as shares (SA-Co)'

COORDINATES = "xywh as shares of the picture, left top corner and size"
PICTURES = "named"

_CATEGORY = {"id": 1, "name": "object"}
_END = f'\n], "categories": [{json.dumps(_CATEGORY)}]}}\n'


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(_files(source))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read every noun phrase with boxes as a caption that is this phrase; one without boxes is not in the picture.

    The split is taken from the file's name, else it is ``train``.

    Parameters
    ----------
    source : Path
        The JSON file, or a folder with one.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.

    Raises
    ------
    DataError
        As `phrasebox.formats.coco.read`.
    """
    return coco.read(only_file(source, _files(source), LAYOUT), images)


def _files(source: Path) -> list[Path]:
    return files_like(source, "*.json", (".json",), _looks_right)


def _looks_right(start: bytes) -> bool:
    return b'"text_input"' in start and b'"file_name"' in start


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one JSON file; an entry of ``images`` is a picture with one noun phrase, its ``text_input``.

    Boxes are ``xywh`` as shares of the image. The same phrase of several captions is one entry, and equal boxes of it
    are one annotation. ``is_instance_exhaustive`` is 0: a phrase may be true of more things than those that have a
    box. Pictures are named, not copied.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    fitted = FittedRecords(records)
    image_ids, annotation_ids = count(1), count(1)
    with NumberedNames() as names, writing(path, lambda file: file.write(_END)) as (images, annotations):
        for record in fitted:
            for text, boxes in _phrases(record).items():
                image_id = next(image_ids)
                images.add(
                    image_entry(image_id, record)
                    | {
                        "text_input": text,
                        "queried_category": str(names.of(text.casefold())),
                        "is_instance_exhaustive": 0,
                        "is_pixel_exhaustive": 0,
                    }
                )
                for box, mask in boxes.items():
                    shares = box.scaled(1 / record.width, 1 / record.height)
                    annotations.add(
                        {
                            "id": next(annotation_ids),
                            "image_id": image_id,
                            "category_id": _CATEGORY["id"],
                            "bbox": [shares.x1, shares.y1, shares.width, shares.height],
                            "area": shares.area,
                            "iscrowd": 0,
                            "source": "phrasebox",
                            **({} if mask is None else {"segmentation": mask}),
                        }
                    )
    return fitted.report()


def _phrases(record: GroundedImage) -> dict[str, dict[Box, Mapping[str, Any] | None]]:
    """The different boxes of every phrase of an image with their masks, by the words as first written, in any case."""
    first: dict[str, str] = {}
    found: dict[str, dict[Box, Mapping[str, Any] | None]] = {}
    for caption in record.captions:
        for phrase in caption.phrases:
            text = first.setdefault(phrase.text.casefold(), phrase.text)
            found.setdefault(text, {})[phrase.box] = phrase.mask
    return found

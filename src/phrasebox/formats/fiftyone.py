"""FiftyOne's image detection data set: boxes with labels, and where the pictures are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from phrasebox.formats._classes import Classes, ClassIndex
from phrasebox.formats._writing import FittedRecords, JsonObject, UniqueStems, Written
from phrasebox.io.atomic import replacing_folder
from phrasebox.types import GroundedCaption, GroundedImage, Phrase

COORDINATES = "xywh as shares of the picture, left top corner and size"
PICTURES = "named"


def write(path: Path, records: Iterable[GroundedImage], classes: Classes | None = None) -> Written:
    """Write a new folder with ``labels.json`` and ``data.json``, which names the pictures where they are.

    ``label`` is the index of the phrase's class in ``classes``; ``attributes`` hold the phrase, its caption and
    span, its score, and whether it is about the whole image. Boxes are ``xywh`` as shares of the image. Open it with
    ``fiftyone.Dataset.from_dir(path, fiftyone.types.FiftyOneImageDetectionDataset, data_path="data.json")``.

    Parameters
    ----------
    classes : Classes, optional
        The class of each phrase; by default its head noun.

    Raises
    ------
    DataError
        If ``path`` is not a new or empty folder, or cannot be written.
    """
    classes = classes or Classes()
    fitted, index, stems = FittedRecords(records, classes), ClassIndex(classes), UniqueStems()
    with (
        replacing_folder(path) as part,
        (part / "labels.json").open("w", encoding="utf-8", newline="\n") as labels,
        (part / "data.json").open("w", encoding="utf-8", newline="\n") as data,
    ):
        labels.write('{"labels": {')
        data.write("{")
        all_labels, all_data = JsonObject(labels), JsonObject(data)
        for record in fitted:
            stem = stems.of(record.key)
            detections = [
                _detection(phrase, caption, record, index) for caption in record.captions for phrase in caption.phrases
            ]
            all_labels.put(stem, detections)
            all_data.put(stem, str(record.image))
        labels.write(f'\n}}, "classes": {json.dumps(list(index), ensure_ascii=False)}}}\n')
        data.write("\n}\n")
    return fitted.report()


def _detection(phrase: Phrase, caption: GroundedCaption, record: GroundedImage, index: ClassIndex) -> dict[str, Any]:
    box, width, height = phrase.box, record.width, record.height
    return {
        "label": index.of(phrase.text),
        "bounding_box": [box.x1 / width, box.y1 / height, box.width / width, box.height / height],
        "confidence": phrase.confidence,
        "attributes": {
            "phrase": phrase.text,
            "caption": caption.text,
            "start": phrase.span[0],
            "end": phrase.span[1],
            "score": phrase.score,
            "whole_image": phrase.whole_image,
        },
    }

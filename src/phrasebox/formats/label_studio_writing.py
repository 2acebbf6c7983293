"""Writing Label Studio tasks: phrases and boxes as predictions for people to correct."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from phrasebox.formats.writing import FittedRecords, Written, append_element, replacing_folder
from phrasebox.types import WHOLE_IMAGE, GroundedCaption, GroundedImage, Phrase, Span

CONFIG = """<View>
  <Text name="caption" value="$caption"/>
  <Image name="image" value="$image" zoom="true"/>
  <RectangleLabels name="box" toName="image">
    <Label value="part" background="#d1495b"/>
    <Label value="whole image" background="#30638e"/>
  </RectangleLabels>
  <TextArea name="phrase" toName="image" perRegion="true" required="true" editable="true" displayMode="region-list"/>
</View>
"""
PART = "part"


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write a new folder with ``tasks.json``, a task a caption, and ``config.xml``, the project's labelling interface.

    Phrases are predictions: a rectangle in percent of the image, and a text area of the same id with the phrase.
    Pictures are not copied: a task names them as ``/data/local-files/?d=<images folder>/<key>``, so that Label Studio
    finds them with ``LOCAL_FILES_SERVING_ENABLED=true``, ``LOCAL_FILES_DOCUMENT_ROOT`` at the folder above the images
    folder, and the images folder connected to the project as local storage. What people made of the tasks is exported
    from there as JSON and read back by `label_studio.read`.

    Raises
    ------
    DataError
        If ``path`` is not a new or empty folder, or cannot be written.
    """
    fitted = FittedRecords(records)
    tasks = 0
    with replacing_folder(path) as part, (part / "tasks.json").open("w", encoding="utf-8", newline="\n") as file:
        (part / "config.xml").write_text(CONFIG, encoding="utf-8", newline="\n")
        file.write("[")
        for record in fitted:
            for caption in record.captions:
                tasks += 1
                append_element(file, _task(record, caption), first=tasks == 1)
        file.write("\n]\n")
    return fitted.report()


def _task(record: GroundedImage, caption: GroundedCaption) -> dict[str, Any]:
    boxes: dict[Span, int] = {}
    result = []
    for phrase in caption.phrases:
        boxes[phrase.span] = boxes.get(phrase.span, 0) + 1
        result += _region(phrase, boxes[phrase.span], record.width, record.height)
    confidences = [phrase.confidence for phrase in caption.phrases]
    prediction = {
        "model_version": "phrasebox",
        "score": sum(confidences) / len(confidences) if confidences else 0.0,
        "result": result,
    }
    return {
        "data": {
            "image": f"/data/local-files/?d={quote(_served(record))}",
            "caption": caption.text,
            "key": record.key,
            "split": record.split,
            "width": record.width,
            "height": record.height,
        },
        "predictions": [prediction],
    }


def _region(phrase: Phrase, number: int, width: int, height: int) -> list[dict[str, Any]]:
    box = phrase.box
    place = {
        "x": 100 * box.x1 / width,
        "y": 100 * box.y1 / height,
        "width": 100 * box.width / width,
        "height": 100 * box.height / height,
        "rotation": 0,
    }
    common = {
        "id": f"{phrase.span[0]}-{phrase.span[1]}-{number}",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": phrase.confidence,
    }
    label = WHOLE_IMAGE if phrase.whole_image else PART
    return [
        common | {"from_name": "box", "type": "rectanglelabels", "value": place | {"rectanglelabels": [label]}},
        common | {"from_name": "phrase", "type": "textarea", "value": place | {"text": [phrase.text]}},
    ]


def _served(record: GroundedImage) -> str:
    """The images folder's name and the key; the file's own folder where the key is not the end of its path."""
    image = record.image.as_posix()
    if image.endswith(f"/{record.key}"):
        return f"{PurePosixPath(image.removesuffix(f'/{record.key}')).name}/{record.key}"
    return f"{record.image.parent.name}/{record.image.name}"

"""YOLO: a text file of class indices and boxes for every picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from phrasebox.formats._classes import Classes, ClassIndex
from phrasebox.formats._writing import FittedRecords, UniqueStems, Written, copy_picture
from phrasebox.io.atomic import replacing_folder
from phrasebox.types import SPLITS, GroundedCaption, GroundedImage, Phrase

COORDINATES = "centre x, centre y, width, height as shares of the picture"
PICTURES = "copied"


def write(path: Path, records: Iterable[GroundedImage], classes: Classes | None = None) -> Written:
    """Write a new folder: copies of the pictures in ``images/``, labels in ``labels/``, ``data.yaml``.

    Both are named after the key without its ending, ``/`` written as ``_``. A label is ``class cx cy w h``, the box's
    centre and size as shares of the image. Captions of one image that agree on class and box share a line.
    ``train.txt``, ``val.txt`` and ``test.txt`` list the pictures of the splits; where there is none, ``data.yaml``
    names another, as trainers ask for both. ``phrases.jsonl`` has a line a caption, with its phrases, spans, boxes in
    pixels and scores.

    Parameters
    ----------
    classes : Classes, optional
        The class of each phrase; by default its head noun.

    Raises
    ------
    DataError
        If ``path`` is not a new or empty folder or cannot be written.
    """
    classes = classes or Classes()
    fitted, index, stems = FittedRecords(records, classes), ClassIndex(classes), UniqueStems()
    lists: dict[str, TextIO] = {}
    with replacing_folder(path) as part, ExitStack() as open_files:

        def opened(name: str) -> TextIO:
            return open_files.enter_context((part / name).open("w", encoding="utf-8", newline="\n"))

        for folder in ("images", "labels"):
            (part / folder).mkdir()
        phrases = opened("phrases.jsonl")
        for record in fitted:
            # One level: trainers put labels for the last folder named images, which a key may have.
            stem = stems.of(record.key, flat=True)
            name = f"images/{stem}{''.join(PurePosixPath(record.key).suffix.split())}"
            if not fitted.picture(record, lambda record, to=part / name: copy_picture(record.image, to)):
                continue
            lines = dict.fromkeys(_labels(record, index))
            (part / "labels" / f"{stem}.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
            if record.split not in lists:
                lists[record.split] = opened(f"{record.split}.txt")
            lists[record.split].write(f"./{name}\n")
            for caption in record.captions:
                phrases.write(json.dumps(_side_line(name, record, caption), ensure_ascii=False) + "\n")
        opened("data.yaml").write(_data_yaml(index, [split for split in SPLITS if split in lists]))
    return fitted.report()


def _labels(record: GroundedImage, index: ClassIndex) -> Iterator[str]:
    for caption in record.captions:
        for phrase in caption.phrases:
            (cx, cy), box = phrase.box.centre, phrase.box
            shares = (cx / record.width, cy / record.height, box.width / record.width, box.height / record.height)
            yield f"{index.of(phrase.text)} {' '.join(f'{share:.6f}' for share in shares)}\n"


def _side_line(name: str, record: GroundedImage, caption: GroundedCaption) -> dict[str, Any]:
    return {
        "file_name": name,
        "key": record.key,
        "split": record.split,
        "width": record.width,
        "height": record.height,
        "caption": caption.text,
        "phrases": [_phrase(phrase) for phrase in caption.phrases],
    }


def _phrase(phrase: Phrase) -> dict[str, Any]:
    return {
        "phrase": phrase.text,
        "span": list(phrase.span),
        "box": list(phrase.box),
        "score": phrase.score,
        "confidence": phrase.confidence,
        "whole_image": phrase.whole_image,
    }


def _data_yaml(names: Iterable[str], splits: list[str]) -> str:
    """The data set's description; paths are relative to it, so that the folder can be moved."""
    lines = [f"{split}: {split}.txt" for split in splits]
    for needed in ("train", "val"):
        if splits and needed not in splits:
            lines.append(f"{needed}: {splits[-1] if needed == 'val' else splits[0]}.txt  # no image is in {needed}")
    lines.append("names:")
    # A JSON string is a YAML one; words hold none of the line separators that are not.
    lines += [f"  {index}: {json.dumps(name, ensure_ascii=False)}" for index, name in enumerate(names)]
    return "\n".join(lines) + "\n"

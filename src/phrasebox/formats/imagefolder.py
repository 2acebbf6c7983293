"""Hugging Face imagefolder: ``metadata.jsonl`` beside the pictures, one image-caption a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from phrasebox.errors import DataError
from phrasebox.formats._assembling import assemble
from phrasebox.formats._disk_grouping import GroupedOnDisk
from phrasebox.formats._hub_rows import objects_of, row_captions, row_objects
from phrasebox.formats._lines import head, json_objects
from phrasebox.formats._pictures import upright_bytes
from phrasebox.formats._reading import chosen_split, split_named
from phrasebox.formats._writing import FittedRecords, Written
from phrasebox.io.atomic import replacing_folder
from phrasebox.types import Example, GroundedImage, Skipped

LAYOUT = "metadata.jsonl with lines of file_name and text, in a folder of images or its subfolders (imagefolder)"
COORDINATES = "xywh pixels, left top corner and size"
PICTURES = "copied"
_METADATA = "metadata.jsonl"
_FOLDERS = {"train": "train", "val": "validation", "test": "test"}


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write a folder that ``datasets.load_dataset("imagefolder", data_dir=...)`` opens, with a folder for every split.

    The pictures are numbered, as ``datasets`` would take a split from a part of a name; they are turned upright where
    EXIF asks for it. A line holds ``file_name``, ``text``, ``key`` (the image's name in the workspace), ``width``,
    ``height`` and ``objects``, lists of equal length of ``bbox`` (COCO ``xywh``), ``phrase``, ``span``, ``score``,
    ``confidence`` and ``whole_image``.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    fitted, numbers = FittedRecords(record for record in records if record.captions), count()
    with replacing_folder(path) as part, ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for record in fitted:
            picture = fitted.picture(record, lambda record: upright_bytes(record.image))
            if picture is None:
                continue
            folder = part / _FOLDERS[record.split]
            if record.split not in files:
                folder.mkdir()
                file = (folder / _METADATA).open("w", encoding="utf-8", newline="\n")
                files[record.split] = stack.enter_context(file)
            name = f"{next(numbers):09d}{record.image.suffix.lower()}"
            (folder / name).write_bytes(picture)
            for caption in record.captions:
                line = {
                    "file_name": name,
                    "text": caption.text,
                    "key": record.key,
                    "width": record.width,
                    "height": record.height,
                    "objects": row_objects(caption.phrases),
                }
                files[record.split].write(json.dumps(line, ensure_ascii=False) + "\n")
    return fitted.report()


def recognises(source: Path) -> bool:
    """Whether ``source`` is a folder with such a file in it or in one of its folders, or the file itself."""
    return bool(_files(source))


def read(source: Path) -> Iterator[Example | Skipped]:
    """Read captions with their phrases and boxes; boxes without phrases are the user's own regions.

    The key is ``key`` where a line has one, else the path of the picture from ``source``. Lines of one picture are one
    image; they may be anywhere, and wait on disk, not in memory. The split is ``split`` of the line, else it is
    told by the folder's name, else it is ``train``.

    Parameters
    ----------
    source : Path
        A folder with ``metadata.jsonl`` in it or in its folders, or such a file.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read.
    """
    files = _files(source)
    if not files:
        raise DataError(f"{source}: no {LAYOUT}")
    root = source if source.is_dir() else source.parent
    with GroupedOnDisk() as gathered:
        for file in files:
            inside = file.parent.relative_to(root)
            for item in json_objects(file):
                if isinstance(item, Skipped):
                    yield item
                elif not isinstance(item[1].get("file_name"), str):
                    yield Skipped(item[0], "the line has no file_name")
                else:
                    gathered.add((inside / item[1]["file_name"]).as_posix(), item[1])
        for name, rows in gathered:
            yield from _example(name, rows, root)


def _example(name: str, rows: list[dict[str, Any]], root: Path) -> Iterator[Example | Skipped]:
    first, parts = rows[0], Path(name).parts
    key = first.get("key") if isinstance(first.get("key"), str) else name
    try:
        Example(name, root)  # the key may be fine where the file's name is not
        split = chosen_split(first.get("split"), split_named(parts[0]) if len(parts) > 1 else None)
    except DataError as error:
        yield Skipped(name.encode("utf-8", "backslashreplace").decode(), str(error))
        return
    captions = [caption for row in rows for caption in row_captions(row)]
    boxes = [box for row in rows for box in objects_of(row).boxes]
    size = first.get("width"), first.get("height")
    yield from assemble(key, root, captions, split, "xywh", size, boxes, root / name)


def _files(source: Path) -> list[Path]:
    candidates = [*sorted(source.glob(f"*/{_METADATA}")), source / _METADATA] if source.is_dir() else [source]
    return [file for file in candidates if file.name.endswith(".jsonl") and b'"file_name"' in head(file)]

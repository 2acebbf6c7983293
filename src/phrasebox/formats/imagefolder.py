"""Hugging Face imagefolder: ``metadata.jsonl``, ``.csv`` or ``.parquet`` beside the pictures, one caption a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from phrasebox.errors import DataError
from phrasebox.formats._columns import choose
from phrasebox.formats._hub_rows import row_objects
from phrasebox.formats._lines import head_text
from phrasebox.formats._names import PictureNames
from phrasebox.formats._parquet_rows import plain_rows
from phrasebox.formats._pictures import upright_bytes
from phrasebox.formats._reading import split_named
from phrasebox.formats._rows import RowReader
from phrasebox.formats._tables import table_rows
from phrasebox.formats._writing import FittedRecords, Written
from phrasebox.formats.json_records import json_rows
from phrasebox.io.atomic import replacing_folder
from phrasebox.types import Example, GroundedImage, Remark, Skipped

LAYOUT = (
    "metadata.jsonl (or .csv, .parquet) with file_name and text, in a folder of images or its subfolders (imagefolder)"
)
_WRITTEN = "metadata.jsonl"
_METADATA = (_WRITTEN, "metadata.csv", "metadata.parquet")
_OWN = ("objects", "key", "width", "height")
COORDINATES = "xywh pixels, left top corner and size"
PICTURES = "copied"
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
                file = (folder / _WRITTEN).open("w", encoding="utf-8", newline="\n")
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


def recognises(source: Path, columns: str | None = None) -> bool:
    """Whether ``source`` is a folder with such a file in it or in one of its folders, or the file itself."""
    return bool(_files(source, columns))


def read(source: Path, images: Path | None = None, columns: str | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read captions with their phrases and boxes; boxes without phrases are the user's own regions.

    The key is ``key`` where a line has one, else the path of the picture from ``source``. Lines of one picture are one
    image; they may be anywhere, and wait on disk, not in memory. The split is ``split`` of the line, else it is
    told by the folder's name, else it is ``train``.

    Parameters
    ----------
    source : Path
        A folder with ``metadata.jsonl``, ``metadata.csv`` or ``metadata.parquet`` in it or in its folders, or such a
        file.
    images : Path, optional
        Folder of the image files, if they are not beside the metadata.
    columns : str, optional
        Names of the columns of file names and of captions, with commas between.

    Raises
    ------
    DataError
        If there is no such file, it cannot be read, or has neither captions nor boxes.
    """
    files = _files(source, columns)
    if not files:
        raise DataError(f"{source}: no {LAYOUT}")
    root = source if source.is_dir() else source.parent
    with RowReader() as reader:
        for file in files:
            inside = file.parent.relative_to(root).parts
            names = PictureNames(images, file.parent, root=root)
            rows = _rows(file, columns)
            yield from reader.gather(file, rows, names, split_named(inside[0]) if inside else None, columns, _OWN)
        yield from reader.examples()


def _rows(file: Path, columns: str | None) -> Iterator[Any]:
    if file.suffix.lower() == ".csv":
        chosen, rows = table_rows(file, columns)
        return (item if isinstance(item, Skipped | Remark) else (*item, chosen) for item in rows)
    if file.suffix.lower() == ".parquet":
        return ((place, row, choose(row, columns)) for place, row in plain_rows(file))
    return json_rows(file, columns)


def _files(source: Path, columns: str | None = None) -> list[Path]:
    if not source.is_dir():
        named = source.name.lower() in _METADATA or source.suffix.lower() == ".jsonl"
        return [source] if named and _looks_right(source, columns) else []
    found = [file for depth in ("*/", "*/*/", "") for name in _METADATA for file in sorted(source.glob(depth + name))]
    return [file for file in found if file.is_file() and _looks_right(file, columns)]


def _looks_right(file: Path, columns: str | None) -> bool:
    if file.suffix.lower() == ".parquet":
        return True
    start = head_text(file)
    named = file.name.lower() in _METADATA and bool(columns)
    return named or (re.split(r"[\r\n]", start)[0] if file.suffix.lower() == ".csv" else start).find("file_name") >= 0

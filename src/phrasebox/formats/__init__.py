"""Data formats: read captioned images, write region-phrase pairs.

Each format is a module. A reader has ``read(source, ...)``, ``recognises(source)`` and ``LAYOUT`` (a one-line
description of the files); a writer has ``write(path, records)``, ``COORDINATES`` (what its numbers of a box mean) and
``PICTURES`` (whether the image files are copied or named).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType

from phrasebox.errors import DataError, SettingsError
from phrasebox.formats._classes import Classes
from phrasebox.formats._unnamed import with_unnamed
from phrasebox.formats._writing import Written
from phrasebox.io.arguments import a_kind, a_list, a_text, each
from phrasebox.io.paths import place
from phrasebox.types import Example, GroundedImage, Remark, Skipped

__all__ = [
    "CAPTIONS_ONLY",
    "CLASSES",
    "MASKS",
    "READERS",
    "WRITERS",
    "Classes",
    "Written",
    "coordinates",
    "detect",
    "names_pictures",
    "read_source",
    "write_target",
]

# Format -> module. The first reader that recognises a source reads it.
READERS = {
    "karpathy": "karpathy",
    "flickr-token": "flickr_token",
    "entities": "entities",
    "sa-co": "sa_co",
    "coco": "coco",
    "visual-genome": "visual_genome",
    "odvg": "odvg",
    "ms-swift": "ms_swift",
    "florence2": "florence2",
    "qwen": "qwen",
    "qwen-1000": "qwen_1000",
    "kosmos": "kosmos",
    "imagefolder": "imagefolder",
    "webdataset": "webdataset",
    "parquet": "parquet",
    "label-studio": "label_studio",
    "csv": "caption_table",
    "json": "json_records",
    "npy": "npy",
    "folder": "folder",
}
WRITERS = {
    "coco": "coco_captions",
    "coco-detection": "coco_detection",
    "coco-grounding": "coco_grounding",
    "coco-results": "coco_results",
    "entities": "entities",
    "fiftyone": "fiftyone",
    "florence2": "florence2",
    "imagefolder": "imagefolder",
    "karpathy": "karpathy",
    "kosmos": "kosmos",
    "label-studio": "label_studio",
    "ms-swift": "ms_swift",
    "qwen": "qwen",
    "qwen-1000": "qwen_1000",
    "sa-co": "sa_co",
    "visual-genome": "visual_genome",
    "webdataset": "webdataset",
    "yolo": "yolo",
    "odvg": "odvg",
    "parquet": "parquet",
}
_OF_NAMES = frozenset({
    "coco", "csv", "florence2", "imagefolder", "json", "karpathy", "kosmos", "ms-swift", "odvg", "qwen", "qwen-1000",
    "sa-co",
})  # fmt: skip
"""Formats that name their pictures: of a folder, the pictures that they do not name are counted."""
CAPTIONS_ONLY = frozenset({"coco", "coco-results", "karpathy"})
"""Writers of captions without phrases."""
CLASSES = frozenset({"coco-detection", "fiftyone", "yolo"})
"""Writers of boxes with classes."""
MASKS = frozenset({"coco-grounding", "odvg", "sa-co"})
"""Writers of masks, where phrases have them."""


def detect(source: str | Path, columns: str | None = None) -> str:
    """Name of the format of ``source``; with ``columns``, of the tables and records whose columns have other names.

    Raises
    ------
    DataError
        If the source does not exist or no reader recognises it; the message says what it has.
    """
    source, columns = place(source), _asked(columns)
    if not source.exists():
        raise DataError(f"{source} does not exist; give a file or folder of captioned images")
    for name in READERS:
        module = _module(READERS, name)
        if columns is None:
            found = module.recognises(source)
        elif "columns" not in signature(module.read).parameters:
            continue
        else:
            asked = {"columns": columns} if "columns" in signature(module.recognises).parameters else {}
            found = module.recognises(source, **asked)
        if found:
            return name
    from phrasebox.formats._describing import unknown

    raise unknown(source)


def read_source(
    source: str | Path,
    format: str = "auto",
    images: str | Path | None = None,
    split_files: Sequence[str | Path] = (),
    columns: str | None = None,
    unpack_to: str | Path | None = None,
) -> Iterator[Example | Skipped | Remark]:
    """Read captioned images as `Example`, a `Skipped` for items that cannot be used, and a `Remark` on what was done.

    Parameters
    ----------
    format : str
        A name in `READERS`, or ``auto`` to detect it.
    images : Path, optional
        Folder of the image files, if the format does not define it.
    split_files : sequence of Path
        Lists of file names, named after their split, for formats without splits of their own.
    columns : str, optional
        Names of the columns (or keys) of file names and captions of a table, such as ``image,caption``.
    unpack_to : Path, optional
        Folder for images that are embedded in the source.

    Raises
    ------
    DataError
        If the source cannot be read; also raised during iteration.
    SettingsError
        If the format is unknown or does not take an argument that was given.
    """
    source, columns = place(source), _asked(columns)
    if a_text(format, "format") == "auto":
        format = detect(source, columns)
    read = _module(READERS, format).read
    taken = signature(read).parameters
    lists = [place(file) for file in a_list(split_files, "split_files", "paths")]
    given = {"images": None if images is None else place(images), "split_files": lists, "columns": columns}
    options = {option: value for option, value in given.items() if value}
    for option in options:
        if option not in taken:
            raise SettingsError(f"format {format} takes no {option}; omit it")
    if "unpack_to" in taken:
        options["unpack_to"] = None if unpack_to is None else place(unpack_to)
    items = read(source, **options)
    return with_unnamed(items, source, format) if format in _OF_NAMES and source.is_dir() else items


def write_target(
    out: str | Path, records: Iterable[GroundedImage], format: str, classes: Classes | None = None
) -> Written:
    """Write region-phrase pairs in a format of `WRITERS`; ``out`` appears only when it is complete.

    Parameters
    ----------
    classes : Classes, optional
        The class of each phrase, for the formats of `CLASSES`; by default its head noun.

    Raises
    ------
    DataError
        If ``out`` cannot be written in this format.
    SettingsError
        If the format is unknown.
    """
    module, out = _module(WRITERS, a_text(format, "format")), place(out)
    records = each(records, GroundedImage, "records")
    if format not in CLASSES:
        return module.write(out, records)
    return module.write(out, records, None if classes is None else a_kind(classes, Classes, "classes"))


def coordinates() -> dict[str, str]:
    """Format that can be written -> what the numbers of its boxes mean."""
    return {name: _module(WRITERS, name).COORDINATES for name in sorted(WRITERS)}


def names_pictures(format: str) -> bool:
    """Whether a format of `WRITERS` only names the image files, so that a reader has to turn them as EXIF says."""
    return _module(WRITERS, format).PICTURES == "named"


def _asked(columns: str | None) -> str | None:
    return None if columns is None else a_text(columns, "columns")


def _module(registry: dict[str, str], name: str) -> ModuleType:
    if name not in registry:
        raise SettingsError(f"format {name!r} is none of {', '.join(registry)}")
    return import_module(f"{__name__}.{registry[name]}")

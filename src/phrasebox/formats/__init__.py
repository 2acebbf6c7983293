"""Outside formats: read captioned images in, write region-phrase data out.

Each format is a module of its own. A reader has ``read(source, ...)``, ``recognises(source)`` and ``LAYOUT``, one line
on what it looks for; a writer has ``write(path, records)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType

from phrasebox.errors import DataError, SettingsError
from phrasebox.formats._writing import Written
from phrasebox.types import Example, GroundedImage, Skipped

__all__ = ["CAPTIONS_ONLY", "READERS", "WRITERS", "Written", "detect", "read_source", "write_target"]

# Format to module. A source that suits several readers is taken by the first.
READERS = {
    "karpathy": "karpathy",
    "flickr-token": "flickr_token",
    "entities": "entities",
    "coco": "coco",
    "visual-genome": "visual_genome",
    "odvg": "odvg",
    "imagefolder": "imagefolder",
    "webdataset": "webdataset",
    "parquet": "parquet",
    "label-studio": "label_studio",
    "csv": "caption_table",
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
    "imagefolder": "imagefolder",
    "karpathy": "karpathy",
    "kosmos": "kosmos",
    "label-studio": "label_studio",
    "visual-genome": "visual_genome",
    "webdataset": "webdataset",
    "yolo": "yolo",
    "odvg": "odvg",
    "parquet": "parquet",
}
CAPTIONS_ONLY = frozenset({"coco", "coco-results", "karpathy"})
"""Writers that have no place for phrases, so that captions are enough for them."""


def detect(source: Path) -> str:
    """Name of the format that ``source`` is in.

    Raises
    ------
    DataError
        If the source does not exist or no reader recognises it.
    """
    if not source.exists():
        raise DataError(f"{source} does not exist; give a file or folder of captioned images")
    modules = {name: _module(READERS, name) for name in READERS}
    for name, module in modules.items():
        if module.recognises(source):
            return name
    sought = "; ".join(f"{name}: {module.LAYOUT}" for name, module in modules.items())
    raise DataError(f"{source}: no known format; looked for {sought}")


def read_source(
    source: Path,
    format: str = "auto",
    images: Path | None = None,
    split_files: Sequence[Path] = (),
    columns: str | None = None,
    unpack_to: Path | None = None,
) -> Iterator[Example | Skipped]:
    """Read captioned images, one `Example` each, with a `Skipped` for everything that is left out.

    Parameters
    ----------
    format : str
        A name in `READERS`, or ``auto`` for what `detect` finds.
    images : Path, optional
        Folder of the pictures, where the format does not imply it.
    split_files : sequence of Path
        Lists of file names, named after their split, for formats without splits of their own.
    columns : str, optional
        Names of the columns of file names and captions of a table, such as ``image,caption``.
    unpack_to : Path, optional
        Folder for the pictures of formats that hold them; not used by others.

    Raises
    ------
    DataError
        If the source cannot be read; from the iterator if it shows on the way.
    SettingsError
        If the format is unknown or does not take an argument that was given.
    """
    if format == "auto":
        format = "csv" if columns else detect(source)  # columns that have to be named are not recognised
    read = _module(READERS, format).read
    taken = signature(read).parameters
    given = {"images": images, "split_files": split_files, "columns": columns}
    options = {option: value for option, value in given.items() if value}
    for option in options:
        if option not in taken:
            raise SettingsError(f"format {format} takes no {option}; leave it out")
    if "unpack_to" in taken:
        options["unpack_to"] = unpack_to
    return read(source, **options)


def write_target(out: Path, records: Iterable[GroundedImage], format: str) -> Written:
    """Write region-phrase data in a format of `WRITERS`; ``out`` appears only when all of it is written.

    Raises
    ------
    DataError
        If ``out`` cannot be written in this format.
    SettingsError
        If the format is unknown.
    """
    return _module(WRITERS, format).write(out, records)


def _module(registry: dict[str, str], name: str) -> ModuleType:
    if name not in registry:
        raise SettingsError(f"format {name!r} is none of {', '.join(registry)}")
    return import_module(f"{__name__}.{registry[name]}")

"""Say in one line what a source has that no reader takes, and what to write."""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats import json_records
from phrasebox.formats._columns import listed
from phrasebox.formats._lines import encoding_of, head, head_text
from phrasebox.formats._reading import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES
from phrasebox.formats._tables import SUFFIXES, columns, layout

_FILES = 10_000  # number of files of a folder that are looked at
_HELP = "formats: phrasebox import --help"
_UNPACK = "unpack it, and give the folder or the file with the captions"
_REMEDIES = {
    **dict.fromkeys((".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"), _UNPACK),
    **dict.fromkeys((".xls", ".xlsx", ".ods"), "save the table as .csv"),
    ".arrow": "write it as Parquet: datasets.load_from_disk(FOLDER).to_parquet(FILE)",
}


def unknown(source: Path) -> DataError:
    """The error for a source that no reader takes."""
    return DataError(f"{source}: no known format: {_folder(source) if source.is_dir() else _file(source)}")


def _file(source: Path) -> str:
    suffix = source.suffix.lower()
    if not head(source):
        return "the file is empty, or cannot be read"
    if suffix in SUFFIXES:
        try:
            columns(source, layout(source), None)
        except DataError as error:
            return str(error).removeprefix(f"{source}: ")
        return (
            f"its first line is {head_text(source).splitlines()[0][:80]!r}; write a first line such as: image,caption"
        )
    if suffix in json_records.SUFFIXES:
        return _json(source)
    if suffix == ".parquet":
        from phrasebox.formats._parquet_rows import column_names

        names = column_names(source)
        hint = "name those of pictures and captions: --columns IMAGE,CAPTION"
        if any("url" in name.lower() for name in names):
            hint = "addresses are no pictures: download them first, such as with img2dataset"
        return f"its columns are {listed(names)}; {hint}"
    if suffix in OTHER_IMAGE_SUFFIXES:
        return f"{suffix} is not read; give a folder of .jpg or .png files"
    if suffix in IMAGE_SUFFIXES:
        return "it is one picture; give its folder"
    if remedy := _REMEDIES.get(suffix):
        return f"a {suffix}; {remedy}"
    if head(source).startswith(b"PAR1"):
        return "it is Parquet; give it a name that ends in .parquet"
    kind = suffix or "file without a suffix"
    return f"a {kind}; give a folder of pictures, or a table of file names and captions ({_HELP})"


def _json(source: Path) -> str:
    if keys := json_records.keys_of(source):
        return f"its records have the keys {keys}; name those of file names and captions: --columns IMAGE,CAPTION"
    try:
        encoding_of(source)
    except DataError as error:
        return str(error)
    if reason := json_records.fault(source):
        return reason
    if json_records.is_by_columns(source):
        return "it is a table by columns; write it by rows: DataFrame.to_json(FILE, orient='records')"
    return 'it has no records of pictures; write a list of {"image": "a.jpg", "caption": "..."}'


def _folder(source: Path) -> str:
    files = (name for _, _, names in os.walk(source) for name in names if not name.startswith("."))
    suffixes = Counter(os.path.splitext(name)[1].lower() or "no suffix" for name in islice(files, _FILES))
    if not suffixes:
        return "the folder is empty"
    held = ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(5))
    if remedy := next((remedy for suffix, remedy in _REMEDIES.items() if suffix in suffixes), None):
        return f"no picture in the folder ({held}); {remedy}"
    if OTHER_IMAGE_SUFFIXES & suffixes.keys():
        return f"no picture in the folder that can be read ({held}); convert them to .jpg or .png"
    return f"no picture in the folder ({held}); give the file with the captions itself, and --images FOLDER ({_HELP})"

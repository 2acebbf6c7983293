"""JSON lists, lines and objects of pictures with captions, as BLIP, LLaVA, neuraltalk2 and kohya write them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from phrasebox.errors import DataError
from phrasebox.formats._columns import Columns, choose, listed
from phrasebox.formats._json_stream import first_item, list_elements, members
from phrasebox.formats._lines import head_text, json_lines
from phrasebox.formats._names import PictureNames
from phrasebox.formats._reading import SplitLists, is_picture, only_file_or_splits, split_in_name
from phrasebox.formats._rows import RowReader
from phrasebox.types import Example, Remark, Skipped

LAYOUT = "*.json, *.jsonl or *.ndjson: records of a picture and its caption or captions (image, caption; --columns)"
SUFFIXES = (".json", ".jsonl", ".jsonlines", ".ndjson")
_ARRAYS = ("data", "images", "annotations", "rows", "samples", "items", "captions", "records", "imgblobs")
_LOOKED_AT = 10_000  # elements of a file
_TURNS = ("conversations", "messages", "conversation")
_ID = re.compile(r"^\d+$|\d{5}")  # of pictures that are named without a suffix; sha256 is none
_MANY_TURNS = "conversations of several turns: the first answer is taken as the caption"


def recognises(source: Path, columns: str | None = None) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(_files(source, columns))


def read(
    source: Path,
    images: Path | None = None,
    split_files: Sequence[Path] = (),
    columns: str | None = None,
) -> Iterator[Example | Skipped | Remark]:
    """Read records of one picture each; those of one picture may be anywhere, and wait on disk, not in memory.

    A file is a list of records, has one a line, or is an object: of names of pictures with their captions (or records
    with them, as kohya's), or with one list of records. A record is an object with keys such as ``image`` and
    ``caption`` or ``captions``, one with ``conversations`` (LLaVA: the answer of the first turn is the caption), or a
    list of a name and captions. Names that are numbers are those of files, also as COCO writes them.

    Parameters
    ----------
    source : Path
        The file, or a folder with one.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.
    split_files : sequence of Path
        Lists of file names, one a line, named ``*train*``, ``*dev*``, ``*val*`` or ``*test*``.
    columns : str, optional
        Names of the keys of file names and of captions, with commas between.

    Raises
    ------
    DataError
        If the file cannot be read, or has no such keys.
    """
    files = only_file_or_splits(source, _files(source, columns), LAYOUT)
    lists = SplitLists.load(split_files, files[0].parent) if split_files else None
    with RowReader(lists) as reader:
        for file in files:
            names = PictureNames(images, file.parent)
            yield from reader.gather(file, json_rows(file, columns), names, split_in_name(file.name), columns)
        yield from reader.examples()


def json_rows(file: Path, asked: str | None) -> Iterator[tuple[str, Mapping[str, Any], Columns] | Skipped | Remark]:
    """The records of a file with their places and the keys that are read of them."""
    turns = 0
    known: dict[tuple[str, ...], Columns] = {}
    for item in _records(file):
        if isinstance(item, Skipped):
            yield item
            continue
        place, record = item
        if record is None:
            yield Skipped(place, "it is no record of a picture", "row")
            continue
        row, more = _plain(record)
        turns += more
        names = tuple(row)
        if names not in known:
            known[names] = _chosen(row, asked)
        yield place, row, known[names]
    if turns:
        yield Remark(_MANY_TURNS, turns)


def _chosen(row: Mapping[str, Any], asked: str | None) -> Columns:
    try:
        return choose(row, asked)
    except DataError:  # this record lacks the key, others may have it
        wanted = [name.strip() for name in (asked or "").split(",")]
        return Columns(
            wanted[0], tuple(name for name in wanted[1:] if name in row), "split" if "split" in row else None
        )


def _records(file: Path) -> Iterator[tuple[str, Mapping[str, Any] | None] | Skipped]:
    """The records of a file with their places; None for what is none."""
    first = None if _has_lines(file) else first_item(file)
    if first is None:
        for item in json_lines(file):
            yield item if isinstance(item, Skipped) else (item[0], _record(item[1]))
    elif first[0] is None:
        for number, value in enumerate(list_elements(file)):
            yield f"{file.name}[{number}]", _record(value)
    else:
        for number, (name, value) in enumerate(members(file)):
            if name in _ARRAYS:
                yield f"{file.name}: {name}[{number}]", _record(value)
            elif is_picture(name) or _ID.search(name) or _is_about_a_picture(value):
                about = dict(value) if isinstance(value, dict) else {"caption": value}
                yield f"{file.name}: {name[:60]}", about | {"image": name}


def _is_about_a_picture(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("caption"), str | list)


def _has_lines(file: Path) -> bool:
    """Whether a file has a JSON value a line, as its beginning tells."""
    start = [line for line in re.split(r"[\r\n]+", head_text(file)) if line.strip()][:2]
    if file.suffix.lower() != ".json":
        return not start or start[0].strip() not in ("[", "{")
    try:
        return len(start) == 2 and isinstance(json.loads(start[0]), dict | list)
    except (ValueError, RecursionError):
        return False


def _record(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, dict):
        inner = value.get("row")  # as the Hugging Face viewer has them
        return inner if isinstance(inner, dict) else value
    if isinstance(value, list) and len(value) > 1 and isinstance(value[0], str):
        return {"image": value[0], "captions": value[1:]}
    return None


def _plain(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The record with the caption of its conversation, and whether that has several turns."""
    row = dict(record)
    for name in ("images", "image"):
        if isinstance(row.get(name), list) and len(row[name]) == 1:
            row[name] = row[name][0]
        if isinstance(row.get(name), dict):
            row[name] = next((row[name][key] for key in ("path", "src", "file_name") if row[name].get(key)), None)
    turns = next((row.pop(name) for name in _TURNS if isinstance(row.get(name), list)), None)
    if turns is None:
        return row, False
    answers = [
        str(turn.get("value", turn.get("content")))
        for turn in turns
        if isinstance(turn, dict) and turn.get("from", turn.get("role")) in ("gpt", "assistant", "model")
    ]
    if answers and not choose(row).captions:
        row["caption"] = answers[0].replace("<image>", "").strip()
    return row, len(answers) > 1


def sample(file: Path) -> Mapping[str, Any] | None:
    """The first record of a file, as it is read; None if there is none."""
    try:
        for item in _records(file):
            if isinstance(item, Skipped) or item[1] is None:
                return None
            return _plain(item[1])[0]
    except DataError:
        pass
    return None


def fault(file: Path) -> str:
    """Why the first record of a file cannot be read; empty if it can, or there is none."""
    try:
        first = next(_records(file), None)
    except DataError as error:
        return str(error).removeprefix(f"{file}: ")
    return f"{first.key}: {first.reason}" if isinstance(first, Skipped) else ""


def is_by_columns(file: Path) -> bool:
    """Whether a file is an object of columns of names and captions, as pandas writes tables."""
    first = first_item(file)
    if first is None or not isinstance(first[1], list | dict):
        return False
    try:
        columns = {name for name, value in islice(members(file), _LOOKED_AT) if not isinstance(value, list)}
    except DataError:
        return False
    chosen = choose(sorted(columns))
    return bool(chosen.image and chosen.captions)


def keys_of(file: Path) -> str:
    """The keys of a file's first record, or of its top level, for a message; empty if it has none."""
    if (first := sample(file)) is not None:
        return listed(first)
    return ""


def _files(source: Path, columns: str | None = None) -> list[Path]:
    candidates = sorted(source.iterdir()) if source.is_dir() else [source]
    return [
        file
        for file in candidates
        if file.suffix.lower() in SUFFIXES and file.is_file() and (columns or _looks_right(file))
    ]


def _looks_right(file: Path) -> bool:
    first = sample(file)
    if first is None:
        return False
    chosen = choose(first)
    if not chosen or not isinstance(first.get(chosen.image or ""), str | int | float):
        return False
    value = next((first[name] for name in chosen.captions), None)
    texts = value if isinstance(value, list) else [value]
    return all(isinstance(text, str | dict) for text in texts)

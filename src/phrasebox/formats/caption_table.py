"""Caption tables: CSV or TSV with a column of file names and a column of captions, one caption a row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats._assembling import RawCaption, assemble
from phrasebox.formats._disk_grouping import GroupedOnDisk
from phrasebox.formats._lines import head, lines
from phrasebox.formats._reading import SplitLists, chosen_split, images_folder, only_file, split_in_name
from phrasebox.types import Example, Skipped

LAYOUT = "*.csv, *.tsv or captions*.txt whose first line names columns such as image,caption (others: --columns)"

_SUFFIXES = {".csv", ".tsv", ".txt"}
_IMAGE = ("image", "image_name", "file_name", "filename", "image_path", "filepath", "path", "file", "img")
_CAPTION = ("caption", "text", "comment", "sentence", "description", "raw")
_DELIMITERS = ",\t;|"


def recognises(source: Path) -> bool:
    """Whether ``source`` is a table with columns that are named as usual, or a folder that holds one."""
    return bool(_files(source))


def read(
    source: Path,
    images: Path | None = None,
    split_files: Sequence[Path] = (),
    columns: str | None = None,
) -> Iterator[Example | Skipped]:
    r"""Read a table; rows of one image may be anywhere in it. They wait on disk, not in memory.

    The delimiter is the one of comma, tab, semicolon and ``|`` that parts the first line into the columns. Fields may
    be in double quotes (not with ``|``). The split is told by split lists, else by a column ``split``, else by the
    file's name, else it is ``train``; with lists, images in none of them are left out and counted in one `Skipped`.

    Parameters
    ----------
    source : Path
        The table, or a folder with one.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.
    split_files : sequence of Path
        Lists of file names, one a line, named ``*train*``, ``*dev*``, ``*val*`` or ``*test*``.
    columns : str, optional
        Names of the columns of file names and of captions, with a comma between; without it the usual names count.

    Raises
    ------
    DataError
        If the file cannot be read, or has no such columns.
    """
    file = only_file(source, _files(source), LAYOUT)
    folder = images_folder(images, file.parent)
    lists = SplitLists.load(split_files, file.parent) if split_files else None
    unlisted = 0
    with GroupedOnDisk() as captions:
        yield from _gather(file, _header(file, columns), captions)
        for key, rows in captions:
            try:
                split = chosen_split(rows[0][1], split_in_name(file.name)) if lists is None else lists.split(key)
            except DataError as error:
                yield Skipped(key, str(error))
                continue
            if split is None:
                unlisted += 1
            else:
                yield from assemble(key, folder, (RawCaption(text) for text, _ in rows), split)
    if lists:
        yield from lists.left_out(file, unlisted)


@dataclass(frozen=True)
class _Header:
    """A table's delimiter, its number of columns, and the indices of those that are read."""

    delimiter: str
    width: int
    image: int
    caption: int
    split: int | None


def _gather(file: Path, header: _Header, captions: GroupedOnDisk) -> Iterator[Skipped]:
    """Fill ``captions`` with (text, split) under file names; yield the rows that cannot be used."""
    numbers: list[int] = []  # of lines that are too long to be read

    def texts() -> Iterator[str]:
        for number, line in enumerate(lines(file), start=1):
            if line is None:
                numbers.append(number)
            # Bytes that are not UTF-8 become lone surrogates, and the caption is reported as not valid.
            yield "" if line is None else line.decode("utf-8", "surrogateescape")

    rows = _reader(texts(), header.delimiter)
    next(rows)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            yield Skipped(f"{file.name}:{rows.line_num}", f"not a row of a table: {error}; is a quote never closed?")
            continue
        if len(row) == header.width:
            split = None if header.split is None else row[header.split].strip()
            captions.add(row[header.image].strip(), (row[header.caption], split))
        elif row:
            reason = f"{len(row)} fields where the first line names {header.width}; quote captions with a delimiter"
            yield Skipped(f"{file.name}:{rows.line_num}", reason)
    yield from (Skipped(f"{file.name}:{number}", "the line is too long") for number in numbers)


def _header(file: Path, columns: str | None) -> _Header:
    first = _first_line(file)
    if columns is not None and columns.count(",") != 1:
        raise DataError(f"columns {columns!r}: give two names with a comma between, such as image,caption")
    image, caption = ((name.strip(),) for name in columns.split(",")) if columns else (_IMAGE, _CAPTION)
    if found := _find(first, image, caption):
        return found
    delimiter = max(_DELIMITERS, key=first.count)
    named = ", ".join(name.strip() for name in first.split(delimiter))[:200] or "nothing"
    sought = columns or "image,caption"
    raise DataError(f"{file}: no columns {sought} in its first line ({named}); name them with --columns IMAGE,CAPTION")


def _find(first: str, image: Sequence[str], caption: Sequence[str]) -> _Header | None:
    """The header, if some delimiter parts the first line into these columns; of several names the earliest counts."""
    for delimiter in sorted(_DELIMITERS, key=first.count, reverse=True):
        try:
            names = [name.strip().casefold() for name in next(_reader([first], delimiter), [])]
        except csv.Error:
            continue
        at = {name: i for i, name in reversed(list(enumerate(names)))}
        images, captions = (
            [at[name.casefold()] for name in wanted if name.casefold() in at] for wanted in (image, caption)
        )
        if images and captions:
            return _Header(delimiter, len(names), images[0], captions[0], at.get("split"))
    return None


def _reader(texts: Iterator[str] | list[str], delimiter: str):
    bars = delimiter == "|"
    quoting = csv.QUOTE_NONE if bars else csv.QUOTE_MINIMAL
    return csv.reader(texts, delimiter=delimiter, quoting=quoting, skipinitialspace=bars)


def _first_line(file: Path) -> str:
    start = head(file).decode("utf-8-sig", "replace")
    return start[: start.find("\n")] if "\n" in start else start


def _files(source: Path) -> list[Path]:
    candidates = sorted(source.iterdir()) if source.is_dir() else [source]
    return [
        file
        for file in candidates
        # Beside pictures a .txt is a caption, unless its name says otherwise.
        if file.suffix.lower() in _SUFFIXES and (file.suffix.lower() != ".txt" or "caption" in file.name.lower())
        if file.is_file() and _find(_first_line(file), _IMAGE, _CAPTION)
    ]

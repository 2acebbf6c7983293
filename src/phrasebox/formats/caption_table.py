"""Caption tables: CSV, TSV and the like, with a column of file names and columns of captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats._columns import choose
from phrasebox.formats._names import PictureNames
from phrasebox.formats._reading import SplitLists, only_file_or_splits, split_in_name
from phrasebox.formats._rows import RowReader
from phrasebox.formats._tables import SUFFIXES, guessed, layout, table_rows
from phrasebox.types import Example, Remark, Skipped

LAYOUT = "*.csv, *.tsv or captions*.txt whose first line names columns such as image,caption (others: --columns)"


def recognises(source: Path, columns: str | None = None) -> bool:
    """Whether ``source`` is a table with usual columns, or without a header; or a folder that holds one."""
    return bool(_files(source, columns))


def read(
    source: Path,
    images: Path | None = None,
    split_files: Sequence[Path] = (),
    columns: str | None = None,
) -> Iterator[Example | Skipped | Remark]:
    r"""Read a table; rows of one image may be anywhere in it. They wait on disk, not in memory.

    It is UTF-8 or UTF-16, with or without a mark. The delimiter is told by a first line ``sep=;``, else it
    is the one of comma, tab, semicolon and ``|`` that parts the first line into the columns. Fields may be in double
    quotes; with tabs and ``|``, quotes are plain characters. All columns named ``caption``, ``caption_1``,
    ``caption_2``, ... are read, and a cell may spell a list of captions. Without a header the columns are told by what
    is in them. The split is told by split lists, else by a column ``split``, else by the file's name, else it is
    ``train``; with lists, images in none of them are left out.

    Parameters
    ----------
    source : Path
        The table, or a folder with one, or with one for each split.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.
    split_files : sequence of Path
        Lists of file names, one a line, named ``*train*``, ``*dev*``, ``*val*`` or ``*test*``.
    columns : str, optional
        Names or places (from 1) of the columns of file names and of captions, with commas between.

    Raises
    ------
    DataError
        If the file cannot be read, or has no such columns.
    """
    files = only_file_or_splits(source, _files(source, columns), LAYOUT)
    lists = SplitLists.load(split_files, files[0].parent) if split_files else None
    with RowReader(lists) as reader:
        for file in files:
            chosen, rows = table_rows(file, columns)
            named = (item if isinstance(item, Skipped | Remark) else (*item, chosen) for item in rows)
            names = PictureNames(images, file.parent)
            yield from reader.gather(file, named, names, split_in_name(file.name), columns)
        yield from reader.examples()


def _files(source: Path, columns: str | None = None) -> list[Path]:
    candidates = sorted(source.iterdir()) if source.is_dir() else [source]
    return [
        file
        for file in candidates
        # Beside pictures a .txt is a caption, unless its name says otherwise.
        if file.suffix.lower() in SUFFIXES
        and (file == source or file.suffix.lower() != ".txt" or "caption" in file.name.lower())
        if file.is_file() and (columns or _is_table(file))
    ]


def _is_table(file: Path) -> bool:
    table = layout(file)
    try:
        return bool(choose(table.names)) or (not table.header and guessed(file, table) is not None)
    except DataError:  # of another encoding; reading it says which
        return True

"""Read text tables as people have them: any usual encoding, delimiter, line end and quoting, with a header or not."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats._columns import Columns, choose, listed, plain
from phrasebox.formats._lines import encoding_of, encoding_remark, head_text, lines
from phrasebox.formats._reading import is_picture
from phrasebox.types import Remark, Skipped

SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".psv", ".txt"})
_DELIMITERS = ",\t;|"
_SEP = re.compile(r'"?sep=(?P<delimiter>.)"?\s*', re.IGNORECASE)
_SAMPLE = 50  # number of lines looked at
_LONGEST_RECORD = 1000  # number of lines that a quoted field may span
_LONGEST_FIELD = 1 << 17  # in characters
_DOUBLED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')
_UNCLOSED = "a quote is never closed; the rows after it are read on"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is laid out.

    Attributes
    ----------
    names : tuple of str
        Of the columns, all different; ``column 1``, ``column 2``, ... without a header.
    header : bool
        Whether the first row has the names.
    skipped_lines : int
        Number of lines before the first row.
    """

    delimiter: str
    names: tuple[str, ...]
    header: bool = True
    skipped_lines: int = 0
    quoted: bool = True


def layout(file: Path) -> Layout:
    """How a table is laid out, by its first lines."""
    text = head_text(file)
    first = re.split(r"\r\n|\n|\r", text)
    if len(first) > 2 and len(text) >= 1 << 14:
        first.pop()  # it may be cut
    skipped = 0
    while skipped < len(first) - 1 and not first[skipped].strip():
        skipped += 1
    told = _SEP.fullmatch(first[skipped])
    if told:
        skipped += 1
    sample = first[skipped : skipped + _SAMPLE] or [""]
    best: Layout | None = None
    for delimiter in (told["delimiter"],) if told else sorted(_DELIMITERS, key=sample[0].count, reverse=True):
        quoted = delimiter not in "\t|" or sample[0].lstrip().startswith('"')
        names = [name.strip() for name in _cells(sample[0], delimiter, quoted)]
        found = Layout(delimiter, _different(names), True, skipped, quoted)
        if choose(names):
            return found
        best = best or found
    assert best is not None
    width = len(best.names)
    if width > 1 and any(is_picture(name.strip()) for name in best.names):
        numbered = tuple(f"column {number}" for number in range(1, width + 1))
        return Layout(best.delimiter, numbered, False, skipped, best.quoted)
    return best


def columns(file: Path, table: Layout, asked: str | None) -> Columns:
    """Which columns of a table are read; without a header they are told by what is in them.

    Raises
    ------
    DataError
        If there are no such columns; the message lists those that there are.
    """
    chosen = choose(table.names, asked)
    if asked is not None or chosen:
        return chosen
    guess = guessed(file, table)
    if guess and not table.header:
        return guess
    names = listed(table.names)
    if guess:
        raise DataError(
            f"{file}: no columns image,caption in its first line ({names}); if those are right, give: "
            f"--columns {guess.image},{','.join(guess.captions)}"
        )
    missing = "column image" if chosen.captions and len(table.names) > 1 else "column caption" if chosen.image else ""
    raise DataError(
        f"{file}: no {missing or 'columns image,caption'} in its first line ({names}); name them with "
        "--columns IMAGE,CAPTION, or write a first line: image,caption"
    )


def guessed(file: Path, table: Layout) -> Columns | None:
    """The columns that look like file names and captions; None if none do."""
    rows = [
        item[1] for item, _ in zip(records(file, table, 0), range(_SAMPLE), strict=False) if isinstance(item, tuple)
    ]
    rows = [row for row in rows if len(row) == len(table.names)]
    if not rows:
        return None
    names = {i: sum(is_picture(row[i].strip()) for row in rows) for i in range(len(table.names))}
    image = max(names, key=lambda i: names[i])
    if not names[image]:
        return None
    wordy = {i: sum(len(row[i].split()) for row in rows) / len(rows) for i in names if i != image and not names[i]}
    texts = {i: count for i, count in wordy.items() if any(letter.isalpha() for row in rows for letter in row[i])}
    if not texts:
        return None
    most = max(texts.values())
    captions = tuple(table.names[i] for i, count in texts.items() if count >= max(1.5, most / 2) or count == most)
    return Columns(table.names[image], captions, None)


def table_rows(
    file: Path, asked: str | None
) -> tuple[Columns, Iterator[tuple[str, dict[str, str]] | Skipped | Remark]]:
    """The columns of a table that are read, and its rows, by the names of their columns, each with its place.

    Raises
    ------
    DataError
        If the file cannot be read, or has no such columns.
    """
    table = layout(file)
    chosen = columns(file, table, asked)

    def rows() -> Iterator[tuple[str, dict[str, str]] | Skipped | Remark]:
        if not table.header:
            read = f"{chosen.image} as file names, {listed(chosen.captions)} as captions"
            yield Remark(f"{file.name} has no header: {read} (others: --columns 1,2)")
        needed = [i for i, name in enumerate(table.names) if name in (chosen.image, *chosen.captions)]
        at = table.names.index(chosen.image or "")
        for item in records(file, table, at):
            if not isinstance(item, tuple):
                yield item
                continue
            place, row = item
            while len(row) > len(table.names) and not row[-1].strip():
                row.pop()
            if len(row) > len(table.names) or len(row) <= max(at, min((i for i in needed if i != at), default=at)):
                reason = f"{len(row)} fields where the first line names {len(table.names)}"
                yield Skipped(place, f"{reason}; quote captions with a delimiter", "row")
            else:
                yield place, dict(zip(table.names, row, strict=False))

    return chosen, rows()


def records(file: Path, table: Layout, image: int) -> Iterator[tuple[str, list[str]] | Skipped | Remark]:
    """Place and cells of every row that is not blank; ``image`` is the column of file names."""
    encoding = encoding_of(file)
    yield from encoding_remark(file, encoding)
    numbered = enumerate(lines(file, encoding), start=1)
    waiting: deque[tuple[int, str | None]] = deque()
    header = table.header
    while item := waiting.popleft() if waiting else next(numbered, None):
        number, line = item
        place = f"{file.name}:{number}"
        if number <= table.skipped_lines or (line is not None and not line.strip()):
            continue
        if line is None:
            yield Skipped(place, "the line is too long", "row")
            continue
        try:
            line.encode()
        except UnicodeEncodeError:
            yield Skipped(place, "the line is not UTF-8 text; save the file as UTF-8", "row")
            continue
        row = _cells(line, table.delimiter, table.quoted)
        if table.quoted and '"' in line and _is_open(line, table.delimiter):
            taken: list[tuple[int, str | None]] = []
            row = _continued(line, table, image, numbered, waiting, taken)
            if row is None:
                waiting.extendleft(reversed(taken))
                yield Skipped(place, _UNCLOSED, "row")
                continue
        elif table.quoted and '"' in line and _is_strange(line, table.delimiter):
            whole = line.rstrip("\r\n").split(table.delimiter)  # quotes that are none, as in: "Stop" says the sign
            row = whole if len(whole) == len(table.names) else row
        if header:
            header = False
        elif any(len(cell) > _LONGEST_FIELD for cell in row):
            yield Skipped(place, f"a field has more than {_LONGEST_FIELD} characters; is a quote never closed?", "row")
        else:
            yield place, row


def _continued(
    line: str,
    table: Layout,
    image: int,
    numbered: Iterator[tuple[int, str | None]],
    waiting: deque[tuple[int, str | None]],
    taken: list[tuple[int, str | None]],
) -> list[str] | None:
    """The row of a line with an open quote and of those after it, which are ``taken``; None if it is never closed."""
    whole = line
    while len(taken) < _LONGEST_RECORD:
        item = waiting.popleft() if waiting else next(numbered, None)
        if item is None:
            return None
        taken.append(item)
        if item[1] is None:
            return None
        whole += item[1]
        plain_row = item[1].rstrip("\r\n").split(table.delimiter)
        if len(plain_row) == len(table.names) and is_picture(plain_row[image].strip()):
            return None  # this line is a row by itself
        if '"' not in item[1] or _is_open(whole, table.delimiter):
            continue
        row = _cells(whole, table.delimiter, True)
        return None if _is_strange(whole, table.delimiter) or len(row) != len(table.names) else row
    return None


def _cells(line: str, delimiter: str, quoted: bool) -> list[str]:
    text = line.rstrip("\r\n")
    if '"' not in text:
        cells = text.split(delimiter)
    elif quoted:
        try:
            cells = next(csv.reader([text], delimiter=delimiter), [])
        except csv.Error:
            cells = text.split(delimiter)
    else:
        cells = [cell[1:-1].replace('""', '"') if _DOUBLED.fullmatch(cell) else cell for cell in text.split(delimiter)]
    return [cell.strip() for cell in cells] if delimiter == "|" else cells


def _is_open(text: str, delimiter: str) -> bool:
    """Whether a quoted field is not closed at the end."""
    return _fault(text, delimiter).startswith("unexpected end")


def _is_strange(text: str, delimiter: str) -> bool:
    """Whether something stands behind a closing quote."""
    return bool(_fault(text, delimiter))


def _fault(text: str, delimiter: str) -> str:
    try:
        next(csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True), None)
    except csv.Error as error:
        return str(error)
    return ""


def _different(names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns, those that come again with a number behind, as pandas writes them."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        count = seen.get(plain(name), 0)
        seen[plain(name)] = count + 1
        found.append(f"{name}.{count}" if count else name)
    return tuple(found)

"""Group records by key, or number names, on disk (SQLite), in constant memory."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Any, Self

from phrasebox.errors import DataError

_ROWS = 8192  # number of rows written at a time
_CACHE_KIB = 16_384


@contextmanager
def _room() -> Iterator[None]:
    """Raise `DataError` where SQLite cannot write its temporary file."""
    try:
        yield
    except sqlite3.Error as error:
        remedy = "make room in it, or set TMPDIR to another folder"
        raise DataError(f"temporary files in {tempfile.gettempdir()}: {error}; {remedy}") from None


class _OnDisk:
    """A temporary SQLite database, in memory while it is small, then in a file."""

    def __init__(self, *tables: str) -> None:
        pragmas = ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}", "temp_store = FILE")
        with _room():
            self._db = sqlite3.connect("", isolation_level=None)
            for command in (*(f"PRAGMA {pragma}" for pragma in pragmas), *(f"CREATE TABLE {one}" for one in tables)):
                self._db.execute(command)
            self._db.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.close()


class NumberedNames(_OnDisk):
    """Numbers names from 1, in the order of their first appearance.

    Examples
    --------
    >>> with NumberedNames() as numbers:
    ...     [numbers.of(name) for name in ("a dog", "a cat", "a dog")], list(numbers)
    ([1, 2, 1], [(1, 'a dog'), (2, 'a cat')])
    """

    def __init__(self) -> None:
        super().__init__("names (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE)")
        self.count = 0

    def of(self, name: str) -> int:
        """The number of a name; a new name gets the next number."""
        encoded = _encode(name)
        with _room():
            found = self._db.execute("SELECT id FROM names WHERE name = ?", (encoded,)).fetchone()
            if found:
                return found[0]
            self._db.execute("INSERT INTO names VALUES (?, ?)", (self.count + 1, encoded))
        self.count += 1
        return self.count

    def __contains__(self, name: str) -> bool:
        return bool(self._db.execute("SELECT 1 FROM names WHERE name = ?", (_encode(name),)).fetchone())

    def new(self, name: str) -> bool:
        """Number a name; whether it is new."""
        before = self.count
        return self.of(name) > before

    def __iter__(self) -> Iterator[tuple[int, str]]:
        with closing(self._db.execute("SELECT id, name FROM names ORDER BY id")) as rows:
            for number, name in rows:
                yield number, _decode(name)


class NamedValues(_OnDisk):
    """Values by name.

    Examples
    --------
    >>> with NamedValues() as keys:
    ...     keys.put("/photos/a.jpg", "a.jpg")
    ...     keys.get("/photos/a.jpg"), keys.get("/photos/b.jpg")
    ('a.jpg', None)
    """

    def __init__(self) -> None:
        super().__init__("named (name BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")

    def put(self, name: str, value: str) -> None:
        """Set the value of a name, unless it has one."""
        with _room():
            self._db.execute("INSERT OR IGNORE INTO named VALUES (?, ?)", (_encode(name), _encode(value)))

    def get(self, name: str) -> str | None:
        """The value of a name, if it has one."""
        found = self._db.execute("SELECT value FROM named WHERE name = ?", (_encode(name),)).fetchone()
        return None if found is None else _decode(found[0])


class GroupedOnDisk(_OnDisk):
    """Groups JSON values by key; iterates over keys in the order of their first appearance.

    Examples
    --------
    >>> with GroupedOnDisk() as captions:
    ...     for key, text in (("b", "a dog"), ("a", "a cat"), ("b", "a hound")):
    ...         captions.add(key, text)
    ...     list(captions)
    [('b', ['a dog', 'a hound']), ('a', ['a cat'])]
    """

    def __init__(self) -> None:
        super().__init__("entries (place INTEGER PRIMARY KEY, key BLOB NOT NULL, value TEXT NOT NULL)")
        self._waiting: list[tuple[bytes, str]] = []

    def add(self, key: str, value: Any) -> None:
        """Append a value to the group of a key."""
        self._waiting.append((_encode(key), json.dumps(value, default=str)))
        if len(self._waiting) == _ROWS:
            self._flush()

    def __iter__(self) -> Iterator[tuple[str, list[Any]]]:
        """Keys with their values; iterate once, after all values were added."""
        self._flush()
        ordered = (
            "SELECT firsts.place, entries.key, value FROM firsts CROSS JOIN entries USING (key)"
            " ORDER BY firsts.rowid, entries.place"
        )
        with _room():
            self._db.execute("CREATE INDEX by_key ON entries (key)")
            self._db.execute(
                "CREATE TABLE firsts AS SELECT min(place) AS place, key FROM entries GROUP BY key ORDER BY 1"
            )
        with _room(), closing(self._db.execute(ordered)) as rows:
            for _, group in groupby(rows, key=itemgetter(0)):
                found = list(group)
                yield _decode(found[0][1]), [json.loads(value) for _, _, value in found]

    def _flush(self) -> None:
        with _room():
            self._db.executemany("INSERT INTO entries (key, value) VALUES (?, ?)", self._waiting)
        self._waiting.clear()


def _encode(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _decode(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")

"""LanceDB tables in a folder: one commit per change, scans in the order of writing, rows by key."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phrasebox.errors import WorkspaceError
from phrasebox.io.atomic import remove_folder
from phrasebox.io.lazy import defer
from phrasebox.io.paths import in_store, table_options, unreachable

_CACHE = 16 << 20  # size of each of Lance's caches, in bytes
_DELETED = 1000  # number of values named in one deletion
_SCAN_ROWS = 65_536  # number of rows of a narrow column read at a time
_STORE_FAILS = re.compile(r"(Generic \w+ error|RetryError|error sending request|Unauthenticated|PermissionDenied).*")
LANCE_ERRORS = (RuntimeError, ValueError, OSError)  # all errors that Lance raises


class Tables:
    """The tables of a workspace, in its folder ``db``."""

    def __init__(self, workspace: Path, may_write: Callable[[], object] = lambda: None) -> None:
        self._workspace = workspace
        self._may_write = may_write
        self._folder = workspace / "db"
        self._versions: dict[str, tuple[tuple[int, frozenset[str]], tuple[int, int]]] = {}

    @cached_property
    def _db(self) -> Any:
        # By default, merging reads several fragments ahead; memory would grow with the width of rows.
        os.environ.setdefault("LANCE_DEFAULT_FRAGMENT_READAHEAD", "1")
        defer("lance_namespace_urllib3_client")  # a client for servers; its import takes most of the time of LanceDB's
        import lancedb

        # Without a limit the caches grow with every commit, to gigabytes in a long run.
        session = lancedb.Session(index_cache_size_bytes=_CACHE, metadata_cache_size_bytes=_CACHE)
        return lancedb.connect(str(self._folder), session=session, storage_options=table_options(self._folder) or None)

    def open(self, table: str) -> Any:
        """The Lance table as it is now; None if there is none, or only an incomplete one.

        Raises
        ------
        WorkspaceError
            If the table is damaged.
        """
        try:
            return self._db.open_table(table)
        except LANCE_ERRORS as error:
            if "not found" in str(error):
                return None
            self._blame_store(error)
            raise WorkspaceError(
                f"table {table!r} of {self._workspace} cannot be opened: {cause(error)}; make it again with --fresh"
            ) from error

    def version(self, name: str) -> tuple[int, int]:
        """Lance's version of a table, and a number that changes when the table is replaced (its folder's inode)."""
        folder = self._folder / f"{name}.lance"
        if in_store(folder):
            table = self.open(name)
            return (0, 0) if table is None else (table.version, table.count_rows())
        try:
            seen = folder.stat().st_ino, frozenset(os.listdir(folder / "_versions"))
        except FileNotFoundError:
            seen = 0, frozenset()
        before, known = self._versions.get(name, (None, (0, 0)))
        if seen != before:  # each version is a file; to list them is much faster than to open the table
            table = self.open(name)
            known = (0, 0) if table is None else (table.version, seen[0])
            self._versions[name] = seen, known
        return known

    def append(self, name: str, new: pa.Table) -> None:
        """Add rows in one commit; the table is created if missing.

        Raises
        ------
        WorkspaceError
            If the rows have other columns than the table, or cannot be written.
        """
        if not len(new):
            return
        table = self.open(name)
        if table is not None and table.schema != new.schema:
            raise WorkspaceError(
                f"{name} of {self._workspace} hold vectors of another length; make them again with --fresh"
            )
        with self._written(name):
            if table is None:
                table = self._db.create_table(name, schema=new.schema, exist_ok=True)
            before = table.version
            table.add(new)
            with _or_back_to(table, before):
                table.take_offsets([table.count_rows() - 1]).select(["key"]).to_arrow()

    def put(self, name: str, new: pa.Table, on: Sequence[str]) -> None:
        """Add rows in one commit; a row replaces the one with equal values in the columns ``on``."""
        table = self.open(name)
        if table is None or not len(new):
            self.append(name, new)
        else:
            with self._written(name):
                table.merge_insert(list(on)).when_matched_update_all().when_not_matched_insert_all().execute(new)

    def rows_of(self, name: str, keys: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of these keys as plain values, in the order of the table."""
        table = self.open(name)
        if table is None or not keys:
            return []
        return take(table, np.sort(locate(table, pa.array(keys, pa.string()))[0])).to_pylist()

    def delete(self, name: str, column: str, values: Iterable[str], also: str = "true") -> None:
        """Remove the rows with one of these values in a text column, if the condition ``also`` holds."""
        table, left = self.open(name), iter(values)
        while table is not None and (some := list(islice(left, _DELETED))):
            listed = ", ".join("'{}'".format(value.replace("'", "''")) for value in some)
            with self._written(name):
                table.delete(f"{column} IN ({listed}) AND {also}")

    def drop(self, name: str) -> None:
        """Remove a table."""
        if not in_store(self._folder):
            remove_folder(self._folder / f"{name}.lance", self._folder / f"{name}.dropped")
        elif self.open(name) is not None:
            with self._written(name):
                self._db.drop_table(name)

    def optimize(self, name: str) -> None:
        """Merge the small fragments of a table, and delete its old versions."""
        if table := self.open(name):
            before = table.version
            with self._written(name):
                table.optimize(cleanup_older_than=timedelta(days=10_000))
                with _or_back_to(table, before):
                    for _ in table.search().select(["key"]).to_batches(_SCAN_ROWS):
                        pass
                table.optimize(cleanup_older_than=timedelta(milliseconds=1))  # 0 would log a warning

    def scan(self, name: str, columns: list[str], batch: int = _SCAN_ROWS) -> Iterator[pa.RecordBatch]:
        """All rows in the order of writing; for narrow columns only, as Lance reads far ahead.

        Raises
        ------
        WorkspaceError
            If the table cannot be read.
        """
        if table := self.open(name):
            with _reading(name):
                yield from table.search().select(columns).to_batches(batch)

    def _blame_store(self, error: Exception) -> None:
        """Raise a `StoreError` if Lance's error is a failure of the object store."""
        if in_store(self._folder) and (found := _STORE_FAILS.search(str(error))):
            raise unreachable(self._workspace, found[0]) from error

    @contextmanager
    def _written(self, name: str) -> Iterator[None]:
        try:
            self._may_write()
            yield
        except LANCE_ERRORS as error:
            self._blame_store(error)
            raise WorkspaceError(
                f"table {name!r} of {self._workspace} cannot be written: {cause(error)}; "
                "make room or give the permission, then run the same command again"
            ) from error


@contextmanager
def _or_back_to(table: Any, version: int) -> Iterator[None]:
    """Undo a commit that cannot be read back; on a full disk, Lance may write incomplete files without an error."""
    try:
        yield
    except LANCE_ERRORS as error:
        table.restore(version)
        raise RuntimeError("the written rows cannot be read back; the disk may be full") from error


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except LANCE_ERRORS as error:
        raise WorkspaceError(
            f"table {name!r} cannot be read: {cause(error)}; if another command was writing to it, run this one "
            "again, else make the table again with --fresh"
        ) from error


def cause(error: Exception) -> str:
    """The cause of a Lance error: the operating system's message, or the first line."""
    text = str(error)
    found = re.search(r"[\w ]+ \(os error \d+\)", text)
    return found[0].strip() if found else re.sub(r", /\S+:\d+:\d+$", "", text.partition("\n")[0])


def places_of(keys: pa.Array, among: pa.Array) -> pa.Array:
    """Index of every key in ``among``; null if missing."""
    return pc.call_function("index_in", [keys], pc.SetLookupOptions(value_set=among))


def locate(table: Any, wanted: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows of the wanted keys.

    Returns
    -------
    offsets : (N,) int64
        Row offsets in the table, sorted by the key's index in ``wanted``, then by offset.
    places : (N,) int64
        Index of each row's key in ``wanted``.
    """
    parts = [np.empty(0, dtype=np.int64)]
    with _reading(table.name):
        for part in table.search().select(["key"]).to_batches(_SCAN_ROWS):
            parts.append(places_of(part["key"], wanted).fill_null(-1).to_numpy().astype(np.int64))
    found = np.concatenate(parts)
    offsets = np.argsort(found, kind="stable")[np.count_nonzero(found < 0) :]
    return offsets, found[offsets]


def widths(table: Any, column: str) -> Iterator[tuple[pa.Array, np.ndarray]]:
    """Keys of all rows, and the number of items of each in a column of short lists."""
    with _reading(table.name):
        for part in table.search().select(["key", column]).to_batches(_SCAN_ROWS):
            yield part["key"], part[column].value_lengths().fill_null(0).to_numpy().astype(np.int64)


def take(table: Any, offsets: np.ndarray, columns: Sequence[str] = ()) -> pa.Table:
    """Rows at these offsets, in this order; of ``columns``, if some are named, those that the table has."""
    names = table.schema.names
    columns = [*([name for name in columns if name in names] or names), "_rowoffset"]
    with _reading(table.name):
        found = table.take_offsets(offsets.tolist()).select(columns).to_arrow()
    at = found["_rowoffset"].to_numpy().astype(np.int64)
    found = found.drop_columns(["_rowoffset"])
    if np.array_equal(at, offsets):  # else Lance returned another order
        return found
    by_offset = np.argsort(at)
    return found.take(by_offset[np.searchsorted(at[by_offset], offsets)])

"""A folder of shards that grows: what was written stays, and a kill at any moment loses what was not yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import numpy as np

from phrasebox.errors import WorkspaceError
from phrasebox.search.vector_files import Entry, Shard, write_shard

FULL = 131_072
"""Vectors of a shard from which on no entry is added to it; 128 MB of a model that is 512 wide."""

_NAME = re.compile(r"(\d{5})-(\d{7})\.safetensors")


class Collection:
    """The shards in a folder, in the order they were begun; rows count through all of them.

    A shard that is not full is written anew, under another name, with what is added; of two with one number, which a
    kill leaves, the one with more entries counts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards = [Shard(path) for path in _current(folder)]
        self.first = np.cumsum([0, *(len(shard) for shard in self.shards)])

    def __len__(self) -> int:
        return int(self.first[-1])

    @property
    def vectors(self) -> int:
        """Number of regions, or words, of all entries."""
        return sum(len(shard.high) for shard in self.shards)

    @property
    def bytes(self) -> int:
        """Bytes that the vectors take on the disk."""
        return sum(2 * shard.high.numel() for shard in self.shards)

    def keys(self) -> Iterator[str]:
        """Of every entry, in the order of rows."""
        for shard in self.shards:
            yield from shard.keys

    def located(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Shard, np.ndarray]]:
        """Rows by shard: which of ``rows`` they are, their shard, and the rows inside it."""
        owner = np.searchsorted(self.first, rows, side="right") - 1
        order = np.argsort(owner, kind="stable")
        for number, group in groupby(order.tolist(), key=owner.__getitem__):
            at = np.array(list(group))
            yield at, self.shards[number], rows[at] - self.first[number]


def add(folder: Path, entries: Iterable[Entry]) -> int:
    """Add entries to the collection in an existing folder; returns how many. The caller lets no other add.

    Raises
    ------
    WorkspaceError
        If the folder is gone, or it cannot be written.
    """
    paths = _current(folder)
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if path not in paths:  # left by a kill
                path.unlink(missing_ok=True)
    number, held, replaced = len(paths), [], None
    if paths and len(last := Shard(paths[-1])) and len(last.high) < FULL:
        number, replaced = number - 1, paths[-1]
        held = [last.entry(row) for row in range(len(last))]
    added, size = 0, sum(len(entry.planes.high) for entry in held)

    def publish() -> None:
        nonlocal number, held, size, replaced
        try:
            write_shard(folder / f"{number:05d}-{len(held):07d}.safetensors", held)
        except OSError as error:
            reason = f"{folder} cannot be written: {error.strerror or error}"
            raise WorkspaceError(f"{reason}; make room or give the permission, then search again") from error
        if replaced:
            replaced.unlink(missing_ok=True)
        number, held, size, replaced = number + 1, [], 0, None

    for entry in entries:
        held.append(entry)
        added += 1
        size += len(entry.planes.high)
        if size >= FULL:
            publish()
    if held and added:
        publish()
    return added


def _current(folder: Path) -> list[Path]:
    """The shards of a folder that count, in order."""
    newest: dict[int, tuple[int, Path]] = {}
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if found := _NAME.fullmatch(path.name):
                number, size = map(int, found.groups())
                newest[number] = max(newest.get(number, (0, path)), (size, path))
    return [path for _, (_, path) in sorted(newest.items())]

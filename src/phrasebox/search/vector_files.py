"""Files of embedded regions or words: memory-mapped shards, and the collection of all shards in a folder.

A collection only grows. Shards are never changed in place, so a killed process loses only what it had not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from phrasebox.errors import WorkspaceError
from phrasebox.io.atomic import whole_file
from phrasebox.search.int8 import Planes, from_planes
from phrasebox.search.madvise import will_read

FORMAT = "phrasebox search 1"
FULL = 131_072
"""Vectors from which on a shard is full and gets no more entries; 128 MB for a model with h = 512."""

_FILE_NAME = re.compile(r"(\d{5})-(\d{7})\.safetensors")  # number of the shard, number of its entries
_REMEDY = "remove the folder {}, and it is made again"
_NAMES = ("high", "low", "step", "error", "norm", "counts", "prior", "boxes", "sizes", "keys", "key_ends")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An embedded image or sentence.

    Attributes
    ----------
    key : str
    planes : Planes
        v_i of its R regions, or s_t of its words.
    prior : float
        Its score with the query bank (`Bank.image_prior`, `Bank.sentence_prior`); 0 without a bank.
    boxes : (R, 4) float32
        Boxes of the regions; zeros for words.
    size : (int, int)
        Width and height of the image in pixels; for a sentence its index among the captions, and 0.
    """

    key: str
    planes: Planes
    prior: float
    boxes: np.ndarray
    size: tuple[int, int]


def write_shard(path: Path, entries: Sequence[Entry]) -> None:
    """Write a shard under a temporary name and rename it; entries are sorted by their number of vectors.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    entries = sorted(entries, key=lambda entry: len(entry.planes.high))  # a stable sort
    keys = [entry.key.encode("utf-8", "surrogatepass") for entry in entries]
    arrays = {
        "high": np.concatenate([entry.planes.high for entry in entries]),
        "low": np.concatenate([entry.planes.low for entry in entries]),
        "step": np.array([entry.planes.step for entry in entries], np.float32),
        "error": np.array([entry.planes.error for entry in entries], np.float32),
        "norm": np.array([entry.planes.norm for entry in entries], np.float32),
        "counts": np.array([len(entry.planes.high) for entry in entries], np.int64),
        "prior": np.array([entry.prior for entry in entries], np.float32),
        "boxes": np.concatenate([entry.boxes for entry in entries]).astype(np.float32, copy=False),
        "sizes": np.array([entry.size for entry in entries], np.int32).reshape(-1, 2),
        "keys": np.frombuffer(b"".join(keys), np.uint8).copy(),
        "key_ends": np.cumsum([len(key) for key in keys], dtype=np.int64),
    }
    try:
        with whole_file(path) as part:
            save_file({name: torch.from_numpy(array) for name, array in arrays.items()}, part, {"format": FORMAT})
    except SafetensorError as error:  # any failure of the file system
        raise OSError(str(error)) from error


class Shard:
    """A memory-mapped shard; only what is used is read from disk.

    Raises
    ------
    WorkspaceError
        If the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                if (file.metadata() or {}).get("format") != FORMAT:
                    raise WorkspaceError(f"{path} has another version; {_REMEDY.format(path.parent)}")
                tensors = {name: file.get_tensor(name) for name in _NAMES}
        except (SafetensorError, OSError) as error:
            raise WorkspaceError(f"{path} is damaged ({error}); {_REMEDY.format(path.parent)}") from error
        self.path = path
        self.high: Tensor = tensors["high"]
        self.low: Tensor = tensors["low"]
        self.counts = tensors["counts"].numpy()
        self.step, self.error, self.norm = (tensors[name].numpy() for name in ("step", "error", "norm"))
        self.prior = tensors["prior"].numpy()
        self.boxes, self.sizes = tensors["boxes"].numpy(), tensors["sizes"].numpy()
        self._keys, self._key_ends = tensors["keys"].numpy(), tensors["key_ends"].numpy()
        self.ends = np.cumsum(self.counts)
        sizes = {len(self.step), len(self.error), len(self.norm), len(self.prior), len(self.sizes), len(self._key_ends)}
        vectors = {len(self.high), len(self.low), len(self.boxes), int(self.counts.sum())}
        if sizes != {len(self.counts)} or len(vectors) > 1 or (self.counts < 1).any():
            raise WorkspaceError(f"{path} is damaged; {_REMEDY.format(path.parent)}")

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def dim(self) -> int:
        """h, the width of the vectors."""
        return self.high.shape[1]

    @cached_property
    def keys(self) -> list[str]:
        """Key of every entry."""
        text, ends = self._keys.tobytes(), [0, *self._key_ends.tolist()]
        return [text[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(ends)]

    @cached_property
    def runs(self) -> list[tuple[int, int, int]]:
        """Runs (first, last + 1, count) of entries with the same number of vectors."""
        changes = np.flatnonzero(np.diff(self.counts)) + 1
        edges = [0, *changes.tolist(), len(self)]
        return [(a, b, int(self.counts[a])) for a, b in pairwise(edges)]

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Indices of the vectors of these entries, one entry after the other."""
        counts = self.counts[rows]
        ends = np.cumsum(counts)
        return np.repeat(self.ends[rows] - ends, counts) + np.arange(ends[-1] if len(ends) else 0)

    def will_read(self, rows: np.ndarray) -> None:
        """Ask the system to read the vectors of these entries before `vectors` needs them."""
        stops = self.ends[rows]
        for plane in (self.high, self.low):
            will_read(plane, stops - self.counts[rows], stops)

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """The vectors (n, h) float32 of these entries, one entry after the other."""
        places = self.places(rows)
        step = np.repeat(self.step[rows], self.counts[rows])
        return from_planes(self.high.numpy()[places], self.low.numpy()[places], step)

    def entry(self, row: int) -> Entry:
        """The entry in this row."""
        part = slice(self.ends[row] - self.counts[row], self.ends[row])
        high, low = self.high[part].numpy(), self.low[part].numpy()
        planes = Planes(high, low, float(self.step[row]), float(self.error[row]), float(self.norm[row]))
        width, height = self.sizes[row].tolist()
        return Entry(self.keys[row], planes, float(self.prior[row]), self.boxes[part], (width, height))


class Collection:
    """The shards in a folder, in order; a row is an entry's place among the entries of all shards.

    To add entries to a shard that is not full, it is written again under another name. A killed process can leave two
    files with the number of one shard; the one with more entries counts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shards = [Shard(path) for path in _current(folder)]
        self.first = np.cumsum([0, *(len(shard) for shard in self.shards)])

    def __len__(self) -> int:
        return int(self.first[-1])

    @property
    def vectors(self) -> int:
        """Number of vectors of all entries."""
        return sum(len(shard.high) for shard in self.shards)

    @property
    def bytes(self) -> int:
        """Bytes of the vectors on disk."""
        return sum(2 * shard.high.numel() for shard in self.shards)

    def keys(self) -> Iterator[str]:
        """Keys of all entries, in the order of rows."""
        for shard in self.shards:
            yield from shard.keys

    def located(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Shard, np.ndarray]]:
        """Group rows by shard: indices into ``rows``, their shard, and the rows inside that shard."""
        owner = np.searchsorted(self.first, rows, side="right") - 1
        order = np.argsort(owner, kind="stable")
        for number, group in groupby(order.tolist(), key=owner.__getitem__):
            at = np.array(list(group))
            yield at, self.shards[number], rows[at] - self.first[number]


def add(folder: Path, entries: Iterable[Entry]) -> int:
    """Add entries to the collection in an existing folder and return how many; the caller holds the lock.

    Raises
    ------
    WorkspaceError
        If the folder is gone, or it cannot be written.
    """
    paths = _current(folder)
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if path not in paths:  # left by a killed process
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
            raise WorkspaceError(f"{reason}; free some space or fix the permissions, then search again") from error
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
    """The valid shards of a folder, in order."""
    newest: dict[int, tuple[int, Path]] = {}
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if found := _FILE_NAME.fullmatch(path.name):
                number, size = map(int, found.groups())
                newest[number] = max(newest.get(number, (0, path)), (size, path))
    return [path for _, (_, path) in sorted(newest.items())]

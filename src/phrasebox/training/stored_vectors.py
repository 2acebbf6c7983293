"""Vectors that stay on disk until they are asked for: regions in the workspace's table, words in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import torch
from torch import Tensor

from phrasebox.training.region_batch import RegionBatch, RegionSource, collate
from phrasebox.workspace.region_reader import RegionReader

_IMAGES = 64  # read at a time where many are
_COLUMNS = 64 << 20  # bytes of sampled columns at a time
_TOGETHER = 64  # columns that torch may sum in another order when they are parted


class StoredRegions:
    """Regions of N images of a workspace as a `RegionSource`: every ``[rows]`` reads them.

    Parameters
    ----------
    reader : RegionReader
        Reader of a split.
    rows : (N,) int64
        Which of its images these are.
    """

    def __init__(self, reader: RegionReader, rows: np.ndarray) -> None:
        self._reader, self._rows = reader, rows
        counts = reader.counts[rows]
        self.count = int(counts.max()) if len(rows) else 1
        self.width = reader.width
        self._padded = bool(len(rows)) and int(counts.min()) < self.count

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Tensor) -> RegionBatch:
        regions = self._reader.read(self._rows[rows.numpy()])
        if not regions:
            vectors = torch.zeros(0, self.count, self.width, dtype=torch.float16)
            mask = torch.zeros(0, self.count, dtype=torch.bool) if self._padded else None
            return RegionBatch(vectors, torch.zeros(0, self.count, 5), mask)
        batch = collate(regions, self.count)
        if self._padded and batch.mask is None:
            return RegionBatch(batch.vectors, batch.geometry, torch.ones(batch.vectors.shape[:2], dtype=torch.bool))
        return batch


def sampled_columns(regions: RegionSource, most: int) -> Iterator[tuple[slice, Tensor]]:
    """Vectors of at most ``most`` images spread over all, without padding, some columns (M, d) at a time.

    Where they are not in memory, the images are read again for the next columns.
    """
    rows = torch.linspace(0, len(regions) - 1, min(len(regions), most)).long()
    held = _unpadded(regions[rows]) if isinstance(regions, RegionBatch) else None
    width = max(1, _COLUMNS // (4 * len(rows) * regions.count * _TOGETHER)) * _TOGETHER
    for first in range(0, regions.width, width):
        columns = slice(first, first + width)
        blocks = (_unpadded(regions[block]) for block in rows.split(_IMAGES)) if held is None else (held,)
        yield columns, torch.cat([block[:, columns].float() for block in blocks])


def _unpadded(batch: RegionBatch) -> Tensor:
    return batch.vectors.flatten(0, 1) if batch.mask is None else batch.vectors[batch.mask]


class _Sentences(Sequence[np.ndarray]):
    """Word vectors of captions, of which `_read` gives one by its place from 0."""

    @overload
    def __getitem__(self, place: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, place: slice) -> list[np.ndarray]: ...
    def __getitem__(self, place: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        place %= len(self)
        return self._read(place)

    def _read(self, place: int) -> np.ndarray:
        raise NotImplementedError


class StoredSentences(_Sentences):
    """Numbers of the words of L captions in a file, one caption after the other.

    Parameters
    ----------
    path : Path
        Path of the file; it stays readable when it is deleted.
    lengths : (L,) int64
        Words of every caption.
    width : int
        Numbers of a word.
    numbers : type
        Type of the numbers.
    """

    def __init__(self, path: Path, lengths: np.ndarray, width: int, numbers: type[np.generic] = np.float16) -> None:
        self.lengths = lengths
        self._width, self._numbers = width, np.dtype(numbers)
        self._ends = np.concatenate([[0], np.cumsum(lengths)])
        self._file = path.open("rb")  # closed with the object

    def __len__(self) -> int:
        return len(self.lengths)

    def _read(self, place: int) -> np.ndarray:
        first, last = int(self._ends[place]), int(self._ends[place + 1])
        size = self._width * self._numbers.itemsize  # bytes of a word
        read = os.pread(self._file.fileno(), (last - first) * size, first * size)
        return np.frombuffer(read, self._numbers).reshape(last - first, self._width)

    def in_memory(self) -> list[np.ndarray]:
        """All of them, read at once."""
        whole = np.fromfile(self._file.name, self._numbers).reshape(-1, self._width)
        return np.split(whole, self._ends[1:-1]) if len(self) else []


class Replaced(_Sentences):
    """Word vectors of L captions, some of which are replaced by those of other captions with as many words."""

    def __init__(self, sentences: Sequence[np.ndarray], other: Mapping[int, np.ndarray]) -> None:
        self._sentences, self._other = sentences, other
        self.lengths = getattr(sentences, "lengths", None)

    def __len__(self) -> int:
        return len(self._sentences)

    def _read(self, place: int) -> np.ndarray:
        other = self._other.get(place)
        return self._sentences[place] if other is None else other

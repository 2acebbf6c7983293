"""A shard: the embedded regions of some images, or words of some sentences, in one memory-mapped file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from phrasebox.errors import WorkspaceError
from phrasebox.io.atomic import whole_file
from phrasebox.search.int8 import Planes, from_planes
from phrasebox.search.prefetch import will_read

FORMAT = "phrasebox search 1"
_NAMES = ("high", "low", "step", "error", "norm", "counts", "prior", "boxes", "sizes", "keys", "key_ends")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An image, or a sentence, as it is embedded.

    Attributes
    ----------
    key : str
    planes : Planes
        v_i of its R regions, or s_t of its words.
    prior : float
        What it scores with the bank's strangers, 0 without a bank.
    boxes : (R, 4) float32
        Of the regions; zeros for words.
    size : (int, int)
        Of the image in pixels; of a sentence, its place among the captions and 0.
    """

    key: str
    planes: Planes
    prior: float
    boxes: np.ndarray
    size: tuple[int, int]


def write_shard(path: Path, entries: Sequence[Entry]) -> None:
    """Write a shard beside and rename it; its entries are ordered by their number of vectors.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    entries = sorted(entries, key=lambda entry: len(entry.planes.high))  # stable: the order of equals is kept
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
    except SafetensorError as error:  # whatever the system refuses
        raise OSError(str(error)) from error


class Shard:
    """A shard that was written, memory-mapped: what is not looked at is not read.

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
                    raise WorkspaceError(f"{path} is of another version; {_REMEDY.format(path.parent)}")
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
        """Of every entry."""
        text, ends = self._keys.tobytes(), [0, *self._key_ends.tolist()]
        return [text[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(ends)]

    @cached_property
    def runs(self) -> list[tuple[int, int, int]]:
        """Entries (first, last + 1) that have the same number of vectors, and that number."""
        changes = np.flatnonzero(np.diff(self.counts)) + 1
        edges = [0, *changes.tolist(), len(self)]
        return [(a, b, int(self.counts[a])) for a, b in pairwise(edges)]

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Where the vectors of these entries are, one entry after the other."""
        counts = self.counts[rows]
        ends = np.cumsum(counts)
        return np.repeat(self.ends[rows] - ends, counts) + np.arange(ends[-1] if len(ends) else 0)

    def will_read(self, rows: np.ndarray) -> None:
        """Have the vectors of these entries read from the disk ahead of `vectors`."""
        stops = self.ends[rows]
        for plane in (self.high, self.low):
            will_read(plane, stops - self.counts[rows], stops)

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """The vectors (n, h) float32 of these entries, one entry after the other."""
        places = self.places(rows)
        step = np.repeat(self.step[rows], self.counts[rows])
        return from_planes(self.high.numpy()[places], self.low.numpy()[places], step)

    def entry(self, row: int) -> Entry:
        """One of the entries, as it was written."""
        part = slice(self.ends[row] - self.counts[row], self.ends[row])
        high, low = self.high[part].numpy(), self.low[part].numpy()
        planes = Planes(high, low, float(self.step[row]), float(self.error[row]), float(self.norm[row]))
        width, height = self.sizes[row].tolist()
        return Entry(self.keys[row], planes, float(self.prior[row]), self.boxes[part], (width, height))


_REMEDY = "remove the folder {}, and it is made anew"

"""Random access to the regions table: regions of an image by its index, read on demand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from phrasebox.types import Regions
from phrasebox.workspace.lance_tables import locate, places_of, take, widths
from phrasebox.workspace.schema import rows_to_regions


class RegionReader:
    """Random access to the rows of a regions table; keeps keys and row offsets in memory, no vectors.

    Parameters
    ----------
    table : Lance table
        The regions table at its present version; later changes are not seen.
    wanted : array of str
        Keys of images, in the order of their indices; images without regions are omitted.
    width : int, optional
        Length to which vectors are shortened.

    Attributes
    ----------
    keys : list of str
        Keys of the N images.
    width : int
        Length D of a vector.
    """

    def __init__(self, table: Any, wanted: pa.Array, width: int | None = None) -> None:
        self._table = table
        offsets, places = locate(table, wanted)
        places, once = np.unique(places, return_index=True)
        self._offsets = offsets[once]
        self.keys: list[str] = wanted.take(pa.array(places)).to_pylist()
        stored: int = table.schema.field("vectors").type.value_type.list_size
        self.width = stored if width is None else min(width, stored)

    def __len__(self) -> int:
        return len(self.keys)

    def read(self, rows: Sequence[int] | np.ndarray) -> list[Regions]:
        """Regions of the images with these indices, in this order; thread-safe."""
        offsets = self._offsets[np.asarray(rows, np.int64)]
        if not len(offsets):
            return []
        parts = take(self._table, offsets).to_batches()
        return [regions.narrowed(self.width) for part in parts for regions in rows_to_regions(part)]

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of regions of each image, (N,) int64; read from the table on first use."""
        keys = pa.array(self.keys, pa.string())
        counts = np.zeros(len(keys), np.int64)
        for found, lengths in widths(self._table, "scores"):
            at = places_of(found, keys).fill_null(-1).to_numpy().astype(np.int64)
            counts[at[at >= 0]] = lengths[at >= 0]
        return counts

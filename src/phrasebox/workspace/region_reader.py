"""Random access to the regions table: regions of an image by its index, read when they are needed."""

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
    """Random access to the rows of a regions table; holds keys, places and numbers of regions, no vectors.

    Parameters
    ----------
    table : Lance table
        Regions, as it is now: what is written later is not seen.
    wanted : array of str
        Keys, in the order in which the images are numbered; those without regions are left out.
    width : int, optional
        Of the vectors, only the first numbers.

    Attributes
    ----------
    keys : list of str
        Of the N images.
    width : int
        D, length of a vector.
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
        """Regions of the images of these numbers, in that order; safe to call from several threads."""
        offsets = self._offsets[np.asarray(rows, np.int64)]
        if not len(offsets):
            return []
        parts = take(self._table, offsets).to_batches()
        return [regions.narrowed(self.width) for part in parts for regions in rows_to_regions(part)]

    @cached_property
    def counts(self) -> np.ndarray:
        """Regions of each image (N,) int64; read from the table when first asked for."""
        keys = pa.array(self.keys, pa.string())
        counts = np.zeros(len(keys), np.int64)
        for found, lengths in widths(self._table, "scores"):
            at = places_of(found, keys).fill_null(-1).to_numpy().astype(np.int64)
            counts[at[at >= 0]] = lengths[at >= 0]
        return counts

"""Reading a workspace: its tables joined image by image, in import order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phrasebox.types import Example, GroundedImage, Regions, Skipped
from phrasebox.workspace import schema as rows
from phrasebox.workspace.apply_decisions import with_decisions
from phrasebox.workspace.decisions import Decisions
from phrasebox.workspace.lance_tables import Tables, locate, places_of, take
from phrasebox.workspace.region_reader import RegionReader
from phrasebox.workspace.schema import ImageRow, OwnRegions

_NOWHERE = np.empty(0, np.int64)


class WorkspaceReader:
    """Read access to a workspace; rows come in import order, in batches that bound the memory it takes.

    Parameters
    ----------
    tables : Tables
        The workspace's tables.
    decisions : Decisions
        What people decided about single phrases.
    """

    def __init__(self, tables: Tables, decisions: Decisions) -> None:
        self._tables = tables
        self.decisions = decisions

    def keys(self, table: str, split: str | None = None) -> set[str]:
        """Keys of the images that have a row in ``table``."""
        found = {key for batch in self._tables.scan(table, ["key"]) for key in batch["key"].unique().to_pylist()}
        return found if split is None else found.intersection(self._wanted(split, None).to_pylist())

    def count(self, table: str, split: str | None = None) -> int:
        """Number of rows of ``table``; of ``phrases``, of region-phrase pairs."""
        wanted = None if split is None else self._wanted(split, None)
        total = 0
        for batch in self._tables.scan(table, ["key", "text"] if table == "phrases" else ["key"]):
            if table == "phrases":
                batch = batch.filter(pc.field("text") != "")
            total += len(batch) if wanted is None else len(batch) - places_of(batch["key"], wanted).null_count
        return total

    def pending(self, table: str, stage: str, split: str | None = None) -> list[str]:
        """Keys of the images that have no row in ``table`` and were not skipped by ``stage``, in import order."""
        done = self.keys(table) | {item.key for item in self.skipped(stage)}
        return [key for key in self._wanted(split, None).to_pylist() if key not in done]

    def has_own_vectors(self) -> bool:
        """Whether the user's own regions of any image have vectors."""
        table = self._tables.open("own")
        return table is not None and table.count_rows("vectors IS NOT NULL") > 0

    def skipped(self, stage: str) -> list[Skipped]:
        """What a stage left out, and why."""
        found = [row for batch in self._tables.scan("skipped", ["key", "stage", "reason"]) for row in batch.to_pylist()]
        return [Skipped(row["key"], row["reason"]) for row in found if row["stage"] == stage]

    # Reading, in batches

    def images(
        self, split: str | None = None, keys: Iterable[str] | None = None, batch: int = 256
    ) -> Iterator[list[ImageRow]]:
        """Images of a split; with ``keys`` those alone, in the order given."""
        for found in self._stream("images", self._wanted(split, keys), batch):
            yield rows.rows_to_images(found)

    def with_own(self, keys: Sequence[str], batch: int = 64) -> Iterator[tuple[ImageRow, OwnRegions | None]]:
        """Images with the user's own regions, where there are some, in the order of ``keys``."""
        wanted = pa.array(keys, pa.string())
        own = (item for part in self._stream("own", wanted, batch) for item in rows.rows_to_own(part))
        key, found = next(own, ("", None))
        for images in self.images(keys=keys, batch=batch):
            for image in images:
                if image.key == key:
                    yield image, found
                    key, found = next(own, ("", None))
                else:
                    yield image, None

    def truth(self, split: str | None = None, batch: int = 256) -> Iterator[Example]:
        """Images that have ground truth, with it. For measuring only."""
        for image, (found,) in self._join(("truth",), split, batch):
            yield rows.row_to_example(image, found[0])

    def regions(
        self, split: str | None = None, keys: Iterable[str] | None = None, batch: int = 64
    ) -> Iterator[list[Regions]]:
        """Regions of the images that have any; with ``keys`` of those alone, in the order given.

        The arrays are read-only views into the batch's memory: keeping one keeps the batch.
        """
        for found in self._stream("regions", self._wanted(split, keys), batch):
            yield [regions for part in found.to_batches() for regions in rows.rows_to_regions(part)]

    def region_reader(self, split: str | None = None, width: int | None = None) -> RegionReader | None:
        """Regions of the images of a split by their place, in import order; None where there is no table of them.

        ``width`` takes only so many numbers of each vector, the first.
        """
        table = self._tables.open("regions")
        return None if table is None else RegionReader(table, self._wanted(split, None), width)

    def grounded(self, split: str | None = None, batch: int = 256) -> Iterator[GroundedImage]:
        """Grounded or reviewed images with all their captions, those without phrases too.

        A caption that people reviewed has the phrases that they left in it; of single phrases, those that they rejected
        are gone, and those that they accepted or edited are as they left them (see `apply_decisions`).
        The size of an image that was not there at import is the one its regions were made at.
        """
        sizes: dict[str, tuple[int, int]] = {}
        self.decisions.refresh()
        for image, (found, reviewed) in self._join(("phrases", "reviewed"), split, batch, self.decisions.keys):
            if not image.width and not sizes:
                for part in self._tables.scan("regions", ["key", "width", "height"]):
                    sizes |= {row["key"]: (row["width"], row["height"]) for row in part.to_pylist()}
            width, height = (image.width, image.height) if image.width else sizes.get(image.key, (0, 0))
            captions = rows.with_reviewed(rows.rows_to_captions(image.captions, found), reviewed, width, height)
            whole = {row["caption"] for row in reviewed}
            captions = with_decisions(captions, self.decisions.of(image.key), (width, height), whole)
            yield GroundedImage(image.key, image.path, image.split, width, height, captions)

    def phrases(self, batch: int = 4096) -> Iterator[pa.RecordBatch]:
        """Rows of the phrases table, one a region-phrase pair as it was decoded, in the order they were made."""
        for part in self._tables.scan("phrases", rows.PHRASES.names, batch):
            yield part.filter(pc.field("text") != "")

    def scan(self, table: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of all rows of a table, in the order of writing."""
        return self._tables.scan(table, columns)

    def rows_at(self, table: str, places: Sequence[int]) -> list[dict[str, Any]]:
        """Rows of a table by their places in the order of writing, as plain values."""
        opened = self._tables.open(table)
        return [] if opened is None or not len(places) else take(opened, np.asarray(places, np.int64)).to_pylist()

    def version(self, table: str) -> tuple[int, int]:
        """Numbers that change whenever the table does, also if it is made anew; zeros where there is none."""
        return self._tables.version(table)

    def _wanted(self, split: str | None, keys: Iterable[str] | None) -> pa.Array:
        """Keys of a split, or those of ``keys`` that are in it, each once; in import order, or that of ``keys``."""
        asked = None if keys is None else pa.array(list(keys), pa.string()).unique()
        if split is None and asked is not None:
            return asked
        parts = [pa.array([], pa.string())]
        for part in self._tables.scan("images", ["key", "split"]):
            parts.append((part if split is None else part.filter(pc.field("split") == split))["key"])
        present = pa.concat_arrays(parts).unique()
        return present if asked is None else asked.filter(places_of(asked, present).is_valid())

    def _stream(self, name: str, wanted: pa.Array, batch: int) -> Iterator[pa.Table]:
        """One row for every wanted key that has one, in the order of ``wanted``."""
        if table := self._tables.open(name):
            offsets, places = locate(table, wanted)
            offsets = offsets[np.unique(places, return_index=True)[1]]
            for first in range(0, len(offsets), batch):
                yield take(table, offsets[first : first + batch])

    def _join(
        self, names: Sequence[str], split: str | None, batch: int, more: Sequence[str] = ()
    ) -> Iterator[tuple[ImageRow, list[list[dict[str, Any]]]]]:
        """Every image of a split that has rows in one of the tables or is among ``more``, with its rows of each."""
        wanted = self._wanted(split, None)
        tables = [self._tables.open(name) for name in names]
        at = [(_NOWHERE, _NOWHERE) if table is None else locate(table, wanted) for table in tables]
        further = places_of(pa.array(more, pa.string()), wanted).drop_null().to_numpy()
        present = np.unique(np.concatenate([*(places for _, places in at), further.astype(np.int64)]))
        first = 0
        for images in self.images(keys=wanted.take(pa.array(present)).to_pylist(), batch=batch):
            last = first + len(images)
            found: list[dict[str, list[dict[str, Any]]]] = [defaultdict(list) for _ in tables]
            for table, (offsets, places), by_key in zip(tables, at, found, strict=True):
                part = slice(*np.searchsorted(places, [present[first], present[last - 1] + 1]))
                if len(offsets[part]):
                    for row in take(table, offsets[part]).to_pylist():
                        by_key[row["key"]].append(row)
            for image in images:
                yield image, [by_key[image.key] for by_key in found]
            first = last

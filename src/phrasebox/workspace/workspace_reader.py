"""Reading a workspace: its tables joined image by image, in import order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phrasebox.types import Example, GroundedImage, Regions, Skipped
from phrasebox.workspace import phrase_rows
from phrasebox.workspace import schema as rows
from phrasebox.workspace.apply_decisions import with_decisions
from phrasebox.workspace.decisions import Decisions
from phrasebox.workspace.lance_tables import Tables, locate, places_of, take
from phrasebox.workspace.region_reader import RegionReader
from phrasebox.workspace.schema import ImageRow, OwnRegions

MOST_VIEWS = 8
"""Largest number of views of an image."""

_NOWHERE = np.empty(0, np.int64)


def regions_table(view: int = 0) -> str:
    """The table of the regions of images, 0, or of one of their views (`phrasebox.regions.views.view_of`)."""
    return f"view{view}" if view else "regions"


class WorkspaceReader:
    """Read access to a workspace, in import order and in batches, so that memory is bounded.

    Parameters
    ----------
    tables : Tables
        The workspace's tables.
    decisions : Decisions
        Review decisions about single phrases.
    """

    def __init__(self, tables: Tables, decisions: Decisions) -> None:
        self._tables = tables
        self.decisions = decisions
        self.held_out: tuple[str, ...] = ()

    def hold_out(self, keys: Sequence[str]) -> None:
        """Count these images of the train split as the val split, as long as this object lives; nothing is written."""
        self.held_out = tuple(keys)

    def keys(self, table: str, split: str | None = None) -> set[str]:
        """Keys of the images that have a row in ``table``."""
        found = {key for batch in self._tables.scan(table, ["key"]) for key in batch["key"].unique().to_pylist()}
        return found if split is None else found.intersection(self._wanted(split, None).to_pylist())

    def count(self, table: str, split: str | None = None) -> int:
        """Number of rows of ``table``; for ``phrases``, the number of region-phrase pairs."""
        wanted = None if split is None else self._wanted(split, None)
        total = 0
        for batch in self._tables.scan(table, ["key", "text"] if table == "phrases" else ["key"]):
            if table == "phrases":
                batch = batch.filter(pc.field("text") != "")
            total += len(batch) if wanted is None else len(batch) - places_of(batch["key"], wanted).null_count
        return total

    def pending(self, table: str, stage: str, split: str | None = None) -> list[str]:
        """Keys of images that have no row in ``table`` and were not skipped by ``stage``, in import order."""
        done = self.keys(table) | {item.key for item in self.skipped(stage)}
        return [key for key in self._wanted(split, None).to_pylist() if key not in done]

    def has_own_vectors(self) -> bool:
        """Whether the user boxes of any image have vectors."""
        table = self._tables.open("own")
        return table is not None and table.count_rows("vectors IS NOT NULL") > 0

    def skipped(self, stage: str) -> list[Skipped]:
        """The items that a stage skipped, with reasons."""
        found = [row for batch in self._tables.scan("skipped", ["key", "stage", "reason"]) for row in batch.to_pylist()]
        return [Skipped(row["key"], row["reason"]) for row in found if row["stage"] == stage]

    def views(self) -> int:
        """Number of views of the images whose regions were made beside those of the images themselves."""
        return next(view for view in range(MOST_VIEWS + 1) if not self._has_view(view + 1))

    def _has_view(self, view: int) -> bool:
        return view <= MOST_VIEWS and self._tables.open(regions_table(view)) is not None

    # Reading, in batches

    def images(
        self, split: str | None = None, keys: Iterable[str] | None = None, batch: int = 256
    ) -> Iterator[list[ImageRow]]:
        """Images of a split; with ``keys``, only those, in this order."""
        for found in self._stream("images", self._wanted(split, keys), batch):
            yield rows.rows_to_images(found)

    def with_own(self, keys: Sequence[str], batch: int = 64) -> Iterator[tuple[ImageRow, OwnRegions | None]]:
        """Images with their user boxes or None, in the order of ``keys``."""
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
        """Images that have ground truth, with it; for evaluation only."""
        for image, (found,) in self._join(("truth",), split, batch):
            yield rows.row_to_example(image, found[0])

    def regions(
        self, split: str | None = None, keys: Iterable[str] | None = None, batch: int = 64, view: int = 0
    ) -> Iterator[list[Regions]]:
        """Regions of the images that have any, or of a ``view`` of them; with ``keys``, only of those, in this order.

        The arrays are read-only views into the batch's memory; a reference to one keeps the batch in memory.
        """
        for found in self._stream(regions_table(view), self._wanted(split, keys), batch):
            yield [regions for part in found.to_batches() for regions in rows.rows_to_regions(part)]

    def region_reader(self, split: str | None = None, width: int | None = None, view: int = 0) -> RegionReader | None:
        """Random access to the regions of a split's images, in import order; None if no regions were computed.

        ``width`` shortens each vector to its first numbers.
        """
        table = self._tables.open(regions_table(view))
        return None if table is None else RegionReader(table, self._wanted(split, None), width)

    def grounded(self, split: str | None = None, batch: int = 256) -> Iterator[GroundedImage]:
        """Grounded or reviewed images with all their captions, including captions without phrases.

        A reviewed caption has its reviewed phrases. Rejected phrases are removed; accepted and edited ones are as the
        reviewer left them (see `apply_decisions`). The size of an image is that of its regions, else the size that it
        was imported with.
        """
        self.decisions.refresh()
        joined = self._join(("phrases", "reviewed"), split, batch, self.decisions.keys, beside=("regions", rows.SIZES))
        for image, (found, reviewed, sizes) in joined:
            width, height, file = rows.size_and_file(image, sizes)
            captions = phrase_rows.with_reviewed(
                phrase_rows.rows_to_captions(image.captions, found), reviewed, width, height
            )
            whole = {row["caption"] for row in reviewed}
            captions = with_decisions(captions, self.decisions.of(image.key), (width, height), whole)
            yield GroundedImage(image.key, image.path, image.split, width, height, phrase_rows.together(captions), file)

    def pictures(self, batch: int = 256) -> Iterator[ImageRow]:
        """All images, each with the size that its regions refer to and the state of its file when they were made."""
        for image, (sizes,) in self._join((), None, batch, self.keys("images"), beside=("regions", rows.SIZES)):
            width, height, file = rows.size_and_file(image, sizes)
            yield replace(image, width=width, height=height, file=file)

    def phrases(self, columns: Sequence[str] = rows.PHRASES.names, batch: int = 4096) -> Iterator[pa.RecordBatch]:
        """Rows of the phrases table, one per decoded region-phrase pair, in the order of writing.

        Of these ``columns``, with ``text`` among them, those that the table has.
        """
        table = self._tables.open("phrases")
        names = [name for name in columns if table is not None and name in table.schema.names]
        for part in self._tables.scan("phrases", names, batch):
            yield part.filter(pc.field("text") != "")

    def scan(self, table: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of all rows of a table, in the order of writing."""
        return self._tables.scan(table, columns)

    def columns(self, table: str) -> set[str]:
        """Names of the columns of a table; empty if there is no table."""
        opened = self._tables.open(table)
        return set() if opened is None else set(opened.schema.names)

    def rows_at(self, table: str, places: Sequence[int]) -> list[dict[str, Any]]:
        """Rows of a table at these indices (order of writing), as plain values."""
        opened = self._tables.open(table)
        return [] if opened is None or not len(places) else take(opened, np.asarray(places, np.int64)).to_pylist()

    def version(self, table: str) -> tuple[int, int]:
        """Two numbers that change when the table changes or is replaced; zeros if there is no table."""
        return self._tables.version(table)

    def _wanted(self, split: str | None, keys: Iterable[str] | None) -> pa.Array:
        """Distinct keys of a split in import order, or those of ``keys`` that are in it, in the order of ``keys``."""
        chosen = None if keys is None else pa.array(list(keys), pa.string()).unique()
        if split is None and chosen is not None:
            return chosen
        parts = [pa.array([], pa.string())]
        for part in self._tables.scan("images", ["key", "split"]):
            parts.append((part if split is None else part.filter(self._of_split(split)))["key"])
        present = pa.concat_arrays(parts).unique()
        return present if chosen is None else chosen.filter(places_of(chosen, present).is_valid())

    def _of_split(self, split: str) -> pc.Expression:
        """Which rows of the images table are of a split, if those of `hold_out` are of val."""
        own = pc.field("split") == split
        if not self.held_out or split not in ("train", "val"):
            return own
        held = pc.field("key").isin(self.held_out)
        return own | held if split == "val" else own & ~held

    def _stream(self, name: str, wanted: pa.Array, batch: int) -> Iterator[pa.Table]:
        """One row for every wanted key that has one, in the order of ``wanted``."""
        if table := self._tables.open(name):
            offsets, places = locate(table, wanted)
            offsets = offsets[np.unique(places, return_index=True)[1]]
            for first in range(0, len(offsets), batch):
                yield take(table, offsets[first : first + batch])

    def _join(
        self,
        names: Sequence[str],
        split: str | None,
        batch: int,
        more: Iterable[str] = (),
        beside: tuple[str, Sequence[str]] | None = None,
    ) -> Iterator[tuple[ImageRow, list[list[dict[str, Any]]]]]:
        """Images of a split that have rows in a table or are in ``more``, each with its rows of every table.

        ``beside``, a table and its columns, adds its rows of these images as the last of the lists.
        """
        wanted = self._wanted(split, None)
        tables = [self._tables.open(name) for name in names]
        columns: list[Sequence[str]] = [()] * len(tables)
        at = [(_NOWHERE, _NOWHERE) if table is None else locate(table, wanted) for table in tables]
        further = places_of(pa.array(list(more), pa.string()), wanted).drop_null().to_numpy()
        present = np.unique(np.concatenate([*(places for _, places in at), further.astype(np.int64)]))
        if beside is not None:
            last_table = self._tables.open(beside[0])
            tables, columns = [*tables, last_table], [*columns, beside[1]]
            at.append((_NOWHERE, _NOWHERE) if last_table is None else locate(last_table, wanted))
        first = 0
        for images in self.images(keys=wanted.take(pa.array(present)).to_pylist(), batch=batch):
            last = first + len(images)
            found: list[dict[str, list[dict[str, Any]]]] = [defaultdict(list) for _ in tables]
            for table, names_of, (offsets, places), by_key in zip(tables, columns, at, found, strict=True):
                part = slice(*np.searchsorted(places, [present[first], present[last - 1] + 1]))
                if len(offsets[part]):
                    for row in take(table, offsets[part], names_of).to_pylist():
                        by_key[row["key"]].append(row)
            for image in images:
                yield image, [by_key[image.key] for by_key in found]
            first = last

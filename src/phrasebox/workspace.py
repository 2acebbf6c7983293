"""The folder on disk that a data set is worked on in: tables, models, and what each stage was run with.

``db/`` holds LanceDB tables, ``models/`` trained models, ``manifest.json`` the settings of every stage. A table only
ever changes by one Lance commit at a time, so a job that is killed leaves whole rows or none.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phrasebox import rows
from phrasebox.errors import WorkspaceError
from phrasebox.rows import ImageRow
from phrasebox.types import Example, GroundedCaption, GroundedImage, Regions, Skipped

FORMAT = 1
TABLES = ("images", "truth", "regions", "phrases", "skipped")
STAGE_TABLES = {
    "import": ("images", "truth", "regions", "phrases"),
    "regions": ("regions", "phrases"),
    "ground": ("phrases",),
}
"""The tables that are made anew when a stage is: first its own, then what is made from them."""

_SCAN_ROWS = 65_536  # rows of a narrow column read at a time
_MANIFEST = "manifest.json"
_OWN_NAMES = {"db", "models", "lock", _MANIFEST, f"{_MANIFEST}.new"}


class Workspace:
    """An existing workspace folder; reading goes in import order, in batches that bound the memory it takes.

    Raises
    ------
    WorkspaceError
        If the folder is not a workspace, or was made by a newer version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        made = self._manifest()["format"]
        if made > FORMAT:
            raise WorkspaceError(f"{path} has workspace format {made}, this version reads {FORMAT}; update phrasebox")

    @classmethod
    def create(cls, path: str | Path) -> Workspace:
        """Open the workspace at ``path``, or make one there.

        Raises
        ------
        WorkspaceError
            If the path is a file, or a folder with something else in it.
        """
        folder = Path(path)
        if folder.is_file():
            raise WorkspaceError(f"{folder} is a file; name a folder for the workspace")
        if not (folder / _MANIFEST).exists():
            if folder.exists() and {entry.name for entry in folder.iterdir()} - _OWN_NAMES:
                raise WorkspaceError(f"{folder} is not empty and no workspace; name a new or an empty folder")
            (folder / "models").mkdir(parents=True, exist_ok=True)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            made = {"format": FORMAT, "version": version("phrasebox"), "created": created, "stages": {}}
            _write_json(folder / _MANIFEST, made)
        return cls(folder)

    @property
    def models(self) -> Path:
        """The folder of trained models."""
        return self.path / "models"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other writer out; the lock ends with the process, however it ends.

        Raises
        ------
        WorkspaceError
            If another process, or another `lock` of this one, holds it.
        """
        from filelock import FileLock, Timeout

        held = FileLock(self.path / "lock")
        try:
            held.acquire(timeout=0)
        except Timeout as error:
            message = f"another phrasebox command is writing to {self.path}; wait for it or stop it"
            raise WorkspaceError(message) from error
        try:
            yield
        finally:
            held.release()

    # What each stage was run with

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """The settings that every stage so far was run with."""
        return self._manifest()["stages"]

    def claim(self, stage: str, settings: Mapping[str, Any], *, fresh: bool = False) -> None:
        """Record the settings of a stage, so that going on with other settings is noticed.

        Parameters
        ----------
        stage : str
            Name of the job.
        settings : mapping
            What the stage's results depend on, as JSON values.
        fresh : bool
            Forget what the stage made and skipped before, and all that was made from it (`STAGE_TABLES`).

        Raises
        ------
        WorkspaceError
            If the stage was run with other settings before and ``fresh`` is not asked for.
        """
        manifest = self._manifest()
        stages = manifest["stages"]
        if fresh:
            tables = STAGE_TABLES.get(stage, ())
            for table in reversed(tables):
                self.drop(table)
            for name in {stage} | {other for other, own in STAGE_TABLES.items() if own[0] in tables}:
                self._forget_skipped(name)
                stages.pop(name, None)
        wanted = json.loads(json.dumps(dict(settings)))
        before = stages.setdefault(stage, wanted)
        if before != wanted:
            names = sorted(name for name in before.keys() | wanted.keys() if before.get(name) != wanted.get(name))
            differing = ", ".join(f"{name}={before.get(name)!r} (now {wanted.get(name)!r})" for name in names)
            raise WorkspaceError(
                f"stage {stage!r} of {self.path} was run with {differing}; keep to that, or start it anew with --fresh"
            )
        # Written last: if this is cut short, results are missing, never results under settings they were not made with.
        _write_json(self.path / _MANIFEST, manifest)

    # Writing: each call is one commit

    def append_images(self, examples: Sequence[Example], sizes: Sequence[tuple[int, int]]) -> None:
        """Add images whose key is not in ``keys("images")``, each with (width, height), (0, 0) where unknown."""
        self._append("images", rows.images_to_rows(examples, sizes))

    def append_truth(self, examples: Sequence[Example]) -> None:
        """Add the ground truth of examples whose key is not in ``keys("truth")``; those without phrases have none.

        This and `append_images` are two commits: a stop in between leaves one of them ahead, so that a job which
        goes on has to look at the keys of each.
        """
        self._append("truth", rows.truth_to_rows(examples))

    def append_regions(self, regions: Sequence[Regions]) -> None:
        """Add regions, with key and vectors, of images that have none yet.

        Raises
        ------
        DataError
            If a key is blank, or vectors are missing or of different widths.
        WorkspaceError
            If the vectors are of another width than those already there.
        """
        if regions:
            self._append("regions", rows.regions_to_rows(regions))

    def append_phrases(self, grounded: Mapping[str, Sequence[GroundedCaption]]) -> None:
        """Add what the captions of some images came to: by key, all captions of the image in the workspace's order.

        A caption without phrases, and an image without captions, leave a marker that they are done.
        """
        found = [row for key, captions in grounded.items() for row in rows.phrases_to_rows(key, captions)]
        self._append("phrases", pa.Table.from_pylist(found, schema=rows.PHRASES))

    def append_skipped(self, skipped: Sequence[Skipped], stage: str) -> None:
        """Add what a stage left out and why; what is there already is not repeated."""
        there = {(item.key, item.reason) for item in self.skipped(stage)}
        new = dict.fromkeys((item.key, item.reason) for item in skipped if (item.key, item.reason) not in there)
        found = [{"key": key, "stage": stage, "reason": reason} for key, reason in new]
        self._append("skipped", pa.Table.from_pylist(found, schema=rows.SKIPPED))

    def drop(self, table: str) -> None:
        """Remove a table, whole."""
        doomed = self.path / "db" / f"{table}.dropped"
        shutil.rmtree(doomed, ignore_errors=True)  # left by a drop that was cut short
        try:
            os.rename(self.path / "db" / f"{table}.lance", doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed)

    def optimize(self) -> None:
        """Merge the small pieces that appending left, and free the space of old versions.

        Takes up to twice the largest table's space while it runs; whoever is reading meanwhile must start over.
        """
        for name in TABLES:
            if table := self._open(name):
                table.optimize(cleanup_older_than=timedelta(milliseconds=1))  # 0 would warn about those readers

    # Asking

    def keys(self, table: str, split: str | None = None) -> set[str]:
        """Keys of the images that have a row in ``table``."""
        found = {key for batch in self._scan(table, ["key"]) for key in batch["key"].unique().to_pylist()}
        return found if split is None else found.intersection(self._wanted(split, None).to_pylist())

    def count(self, table: str, split: str | None = None) -> int:
        """Number of rows of ``table``; of ``phrases``, of region-phrase pairs."""
        wanted = None if split is None else self._wanted(split, None)
        total = 0
        for batch in self._scan(table, ["key", "text"] if table == "phrases" else ["key"]):
            if table == "phrases":
                batch = batch.filter(pc.field("text") != "")
            total += len(batch) if wanted is None else len(batch) - _places(batch["key"], wanted).null_count
        return total

    def pending(self, table: str, stage: str, split: str | None = None) -> list[str]:
        """Keys of the images that have no row in ``table`` and were not skipped by ``stage``, in import order."""
        done = self.keys(table) | {item.key for item in self.skipped(stage)}
        return [key for key in self._wanted(split, None).to_pylist() if key not in done]

    def skipped(self, stage: str) -> list[Skipped]:
        """What a stage left out, and why."""
        found = [row for batch in self._scan("skipped", ["key", "stage", "reason"]) for row in batch.to_pylist()]
        return [Skipped(row["key"], row["reason"]) for row in found if row["stage"] == stage]

    # Reading, in batches

    def images(
        self, split: str | None = None, keys: Iterable[str] | None = None, batch: int = 256
    ) -> Iterator[list[ImageRow]]:
        """Images of a split; with ``keys`` those alone, in the order given."""
        for found in self._stream("images", self._wanted(split, keys), batch):
            yield rows.rows_to_images(found)

    def truth(self, split: str | None = None, batch: int = 256) -> Iterator[Example]:
        """Images that have ground truth, with it. For measuring only."""
        for image, found in self._join("truth", split, batch):
            yield rows.row_to_example(image, found[0])

    def regions(
        self, split: str | None = None, keys: Iterable[str] | None = None, batch: int = 64
    ) -> Iterator[list[Regions]]:
        """Regions of the images that have any; with ``keys`` of those alone, in the order given.

        The arrays are read-only views into the batch's memory: keeping one keeps the batch.
        """
        for found in self._stream("regions", self._wanted(split, keys), batch):
            yield [regions for part in found.to_batches() for regions in rows.rows_to_regions(part)]

    def grounded(self, split: str | None = None, batch: int = 256) -> Iterator[GroundedImage]:
        """Grounded images with all their captions, those without phrases too.

        The size of an image that was not there at import is the one its regions were made at.
        """
        sizes: dict[str, tuple[int, int]] = {}
        for image, found in self._join("phrases", split, batch):
            if not image.width and not sizes:
                for part in self._scan("regions", ["key", "width", "height"]):
                    sizes |= {row["key"]: (row["width"], row["height"]) for row in part.to_pylist()}
            width, height = (image.width, image.height) if image.width else sizes.get(image.key, (0, 0))
            captions = rows.rows_to_captions(image.captions, found)
            yield GroundedImage(image.key, image.path, image.split, width, height, captions)

    def phrases(self, batch: int = 4096) -> Iterator[pa.RecordBatch]:
        """Rows of the phrases table, one a region-phrase pair, in the order they were made."""
        for part in self._scan("phrases", rows.PHRASES.names, batch):
            yield part.filter(pc.field("text") != "")

    # Underneath

    @cached_property
    def _db(self) -> Any:
        import lancedb

        return lancedb.connect(self.path / "db")

    def _open(self, table: str) -> Any:
        """The Lance table as it is now, or None where there is none, or one whose making was cut short."""
        try:
            return self._db.open_table(table)
        except (ValueError, RuntimeError, OSError) as error:
            if "not found" in str(error):
                return None
            raise WorkspaceError(f"table {table!r} of {self.path} is damaged; make it anew with --fresh") from error

    def _append(self, name: str, new: pa.Table) -> None:
        if not len(new):
            return
        table = self._open(name)
        if table is None:
            table = self._db.create_table(name, schema=new.schema, exist_ok=True)
        elif table.schema != new.schema:
            raise WorkspaceError(f"{name} of {self.path} hold vectors of another width; make them anew with --fresh")
        table.add(new)

    def _forget_skipped(self, stage: str) -> None:
        if table := self._open("skipped"):
            table.delete("stage = '{}'".format(stage.replace("'", "''")))

    def _scan(self, name: str, columns: list[str], batch: int = _SCAN_ROWS) -> Iterator[pa.RecordBatch]:
        """All rows in the order they were written; for narrow columns only, as Lance reads far ahead."""
        if table := self._open(name):
            yield from table.search().select(columns).to_batches(batch)

    def _wanted(self, split: str | None, keys: Iterable[str] | None) -> pa.Array:
        """Keys of a split, or those of ``keys`` that are in it, each once; in import order, or that of ``keys``."""
        asked = None if keys is None else pa.array(list(keys), pa.string()).unique()
        if split is None and asked is not None:
            return asked
        parts = [pa.array([], pa.string())]
        for part in self._scan("images", ["key", "split"]):
            parts.append((part if split is None else part.filter(pc.field("split") == split))["key"])
        present = pa.concat_arrays(parts).unique()
        return present if asked is None else asked.filter(_places(asked, present).is_valid())

    def _stream(self, name: str, wanted: pa.Array, batch: int) -> Iterator[pa.Table]:
        """One row for every wanted key that has one, in the order of ``wanted``."""
        if table := self._open(name):
            offsets, places = _locate(table, wanted)
            offsets = offsets[np.unique(places, return_index=True)[1]]
            for first in range(0, len(offsets), batch):
                yield _take(table, offsets[first : first + batch])

    def _join(self, name: str, split: str | None, batch: int) -> Iterator[tuple[ImageRow, list[dict[str, Any]]]]:
        """Every image of a split that has rows in a table, with them."""
        table = self._open(name)
        if table is None:
            return
        wanted = self._wanted(split, None)
        offsets, places = _locate(table, wanted)
        present = np.unique(places)
        starts = np.append(np.searchsorted(places, present), len(places))
        first = 0
        for images in self.images(keys=wanted.take(pa.array(present)).to_pylist(), batch=batch):
            last = first + len(images)
            found = defaultdict(list)
            for row in _take(table, offsets[starts[first] : starts[last]]).to_pylist():
                found[row["key"]].append(row)
            for image in images:
                yield image, found[image.key]
            first = last

    def _manifest(self) -> dict[str, Any]:
        try:
            return json.loads((self.path / _MANIFEST).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            message = f"{self.path} is not a workspace; make one with: phrasebox import SOURCE {self.path}"
            raise WorkspaceError(message) from error
        except ValueError as error:
            raise WorkspaceError(f"{self.path / _MANIFEST} is damaged: {error}; import into a new folder") from error


def _places(keys: pa.Array, among: pa.Array) -> pa.Array:
    """Index of every key in ``among``, null where it is not there."""
    return pc.call_function("index_in", [keys], pc.SetLookupOptions(value_set=among))


def _locate(table: Any, wanted: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Where the rows of the wanted keys are.

    Returns
    -------
    offsets : (N,) int64
        Positions in the table, sorted by the key's place in ``wanted``, then by position.
    places : (N,) int64
        The key's place in ``wanted``.
    """
    parts = [np.empty(0, dtype=np.int64)]
    for part in table.search().select(["key"]).to_batches(_SCAN_ROWS):
        parts.append(_places(part["key"], wanted).fill_null(-1).to_numpy().astype(np.int64))
    places = np.concatenate(parts)
    offsets = np.argsort(places, kind="stable")[np.count_nonzero(places < 0) :]
    return offsets, places[offsets]


def _take(table: Any, offsets: np.ndarray) -> pa.Table:
    """Rows at these offsets, in their order; memory is bounded by what is asked for."""
    columns = [*table.schema.names, "_rowoffset"]
    found = table.take_offsets(offsets.tolist()).select(columns).to_arrow()
    at = found["_rowoffset"].to_numpy().astype(np.int64)
    found = found.drop_columns(["_rowoffset"])
    if np.array_equal(at, offsets):  # else Lance returned another order, and the rows have to be copied
        return found
    by_offset = np.argsort(at)
    return found.take(by_offset[np.searchsorted(at[by_offset], offsets)])


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a file in one step, so that it is never half-written."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)

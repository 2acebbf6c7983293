"""The workspace folder of a data set: tables, trained models, and the settings and runs of each stage.

``db/`` holds LanceDB tables, ``models/`` trained models, ``manifest.json`` the settings of every stage,
``decisions.jsonl`` reviewers' decisions about single phrases. A table changes by one Lance commit at a time, so a job
that is killed leaves whole rows or none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from phrasebox.errors import WorkspaceError
from phrasebox.io.atomic import remove_folder
from phrasebox.io.paths import holds_any, in_store, place, reaching
from phrasebox.io.store_lock import Lease
from phrasebox.types import Example, GroundedCaption, Regions, Skipped
from phrasebox.workspace import decisions, manifest, phrase_rows, written_files
from phrasebox.workspace import run_log as runs
from phrasebox.workspace import schema as rows
from phrasebox.workspace.decisions import Decisions
from phrasebox.workspace.lance_tables import Tables
from phrasebox.workspace.manifest import Manifest
from phrasebox.workspace.run_log import Run
from phrasebox.workspace.workspace_reader import MOST_VIEWS, WorkspaceReader, regions_table

_REGIONS = tuple(regions_table(view) for view in range(MOST_VIEWS + 1))
TABLES = ("images", "truth", "own", *_REGIONS, "phrases", "reviewed", "skipped")
STAGE_TABLES = {
    "import": ("images", "truth", "own", *_REGIONS, "phrases", "reviewed"),
    "regions": (*_REGIONS, "phrases"),
    "ground": ("phrases",),
}
"""Stage -> the tables that ``--fresh`` drops: its own, then those computed from them."""

OWN_TABLES = {"import": ("images", "truth", "own", "reviewed"), "regions": _REGIONS, "ground": ("phrases",)}
"""Stage -> the tables that it adds rows to."""

MADE_FROM = {"regions": ("align", "caption", "evaluate"), "ground": ("caption",)}
"""Stage -> the stages that make models and results from its rows."""

_OWN_NAMES = {"db", "models", "lock", decisions.NAME, decisions.LOCK, written_files.NAME} | {
    f"{manifest.NAME}{unfinished}"
    for unfinished in ("", ".part", ".new")  # .new: of version 0.1
}


class Workspace(WorkspaceReader):
    """An existing workspace folder: its tables, models, settings, runs and decisions; `WorkspaceReader` reads them.

    The stages work on it. Users open a `phrasebox.Workspace`, which has the part of it that they need.

    Raises
    ------
    WorkspaceError
        If the folder is not a workspace, or was made by a newer version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = place(path)
        self._manifest = Manifest(self.path)
        self._lease = Lease(self.path) if in_store(self.path) else None
        tables = Tables(self.path, self._lease.check_if_held if self._lease else lambda: None)
        super().__init__(tables, Decisions(self.path))

    def __repr__(self) -> str:
        return f"Workspace({str(self.path)!r})"

    @classmethod
    def create(cls, path: str | Path) -> Self:
        """Open the workspace at ``path``, or make one there.

        Raises
        ------
        WorkspaceError
            If the path is a file, or a folder with something else in it.
        """
        folder = place(path)
        if in_store(folder):
            return cls._create_in_store(folder)
        if folder.is_file():
            raise WorkspaceError(f"{folder} is a file; name a folder for the workspace")
        if not (folder / manifest.NAME).exists():
            if folder.exists() and {entry.name for entry in folder.iterdir()} - _OWN_NAMES:
                raise WorkspaceError(f"{folder} is not empty and no workspace; name a new or an empty folder")
            (folder / "models").mkdir(parents=True, exist_ok=True)
            Manifest.create(folder)
        return cls(folder)

    @classmethod
    def _create_in_store(cls, folder: Path) -> Self:
        """As `create`, in an object store, which has no folders, only names with a common prefix."""
        with reaching(folder):
            if not (folder / manifest.NAME).exists():
                if holds_any(folder):
                    raise WorkspaceError(f"{folder} is not empty and no workspace; name a new or an empty folder")
                Manifest.create(folder)
        return cls(folder)

    @property
    def models(self) -> Path:
        """The folder of trained models."""
        return self.path / "models"

    @property
    def search_folder(self) -> Path:
        """Folder of the search index, on this machine; it can be rebuilt at any time."""
        if not in_store(self.path):
            return self.path / "search"
        name = hashlib.sha256(str(self.path).encode()).hexdigest()[:16]
        near = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "phrasebox", "search")
        near.mkdir(parents=True, exist_ok=True)
        return near / name  # local, because it is mapped into memory

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the workspace for writing; the lock is released when the process ends, however it ends.

        Raises
        ------
        WorkspaceError
            If another process, or another `lock` of this process, holds the lock.
        """
        if self._lease:
            with self._lease.held():
                yield
            return
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

    # Settings and runs of the stages

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Stage -> the settings that it was run with."""
        return self._manifest.read()["stages"]

    def claim(self, stage: str, settings: Mapping[str, Any], *, fresh: bool = False) -> None:
        """Record the settings of a stage, so that a later run with other settings is refused.

        Parameters
        ----------
        stage : str
            Name of the stage.
        settings : mapping
            Settings that the stage's results depend on, as JSON values.
        fresh : bool
            Drop the stage's rows and skipped items, all that was computed from them (`STAGE_TABLES`), and their runs.
            Runs that led to a model which ``settings`` name stay recorded.

        Raises
        ------
        WorkspaceError
            If the stage was run with other settings before and ``fresh`` is False.
        """
        forgotten: set[str] = set()
        if fresh:
            tables = STAGE_TABLES.get(stage, ())
            for table in reversed(tables):
                self.drop(table)
            forgotten = {stage} | {other for other, own in STAGE_TABLES.items() if own[0] in tables}
            for name in forgotten:
                self._forget_skipped(name)
            forgotten |= {later for name in forgotten for later in MADE_FROM.get(name, ())}
        # Written last: if the process is killed before, rows are missing; no row has settings it was not made with.
        self._manifest.claim(stage, settings, forgotten, self.models_in(settings))

    def models_in(self, settings: Mapping[str, Any]) -> set[str]:
        """Own models, as `Run.makes`, whose files ``settings`` name, such as the fine-tuned backbones of a model."""
        folder = os.path.abspath(str(self.models)) + os.sep
        files = [os.path.abspath(value) for value in settings.values() if isinstance(value, str) and "/" in value]
        names = {file.removeprefix(folder).split(os.sep)[0] for file in files if file.startswith(folder)}
        return {f"{self.models.name}/{name}" for name in names}

    @property
    def runs(self) -> list[Run]:
        """Runs that made the present rows and models, in order (see `phrasebox.workspace.run_log`)."""
        return self._manifest.runs()

    @contextmanager
    def running(
        self,
        stage: str,
        arguments: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> Iterator[None]:
        """Record a run of a stage while it adds rows; if it is killed, the record says that it did not finish.

        Parameters
        ----------
        stage, arguments, settings, seed
            As `phrasebox.workspace.run_log.Run`, as JSON values.
        """
        before, first = self.runs, self._state(stage)
        new = Run(
            stage,
            dict(arguments),
            dict(settings or {}),
            seed,
            first={name: rows for name, (rows, _) in first.items()},
        )
        self._manifest.keep_runs(runs.began(before, new))

        def end(finished: bool) -> None:
            self._manifest.keep_runs(runs.ended(before, new, self._state(stage) != first, finished))

        try:
            yield
        except GeneratorExit:
            # The generator is collected without being finished, on any thread. On a thread of Lance, a query of a table
            # would deadlock. The run is already recorded as not finished.
            raise
        except BaseException:
            end(finished=False)
            raise
        end(finished=True)

    def made(self, run: Run, anew: bool = True) -> None:
        """Record a finished run that made a model or a result; it replaces the run that made it before.

        Parameters
        ----------
        anew : bool
            False if nothing was computed, because the model or result already existed.
        """
        self._manifest.keep_runs(runs.made(self.runs, run, anew))

    def note(self, run: Run) -> None:
        """Record a finished run that wrote outside the tables, such as an export, if the workspace can be written to.

        A command that only reads also works on a read-only workspace, and while another command writes; its run is not
        recorded then.
        """
        try:
            with self.lock():
                self.made(run)
        except (OSError, WorkspaceError):
            return

    @property
    def written(self) -> dict[str, str]:
        """Files that exports wrote -> their digests; empty for one whose export did not finish."""
        return written_files.read(self.path)

    def note_written(self, target: str, digest: str) -> None:
        """Record what an export writes, if the workspace can be written to; also while another command writes."""
        written_files.note(self.path, target, digest)

    # Writing: each call is one commit

    def append_images(self, examples: Sequence[Example], sizes: Sequence[tuple[int, int]]) -> None:
        """Add images whose key is not in ``keys("images")``, with their (width, height); (0, 0) if unknown."""
        self._tables.append("images", rows.images_to_rows(examples, sizes))

    def change_images(
        self,
        captions: Mapping[str, Sequence[str]],
        splits: Mapping[str, str],
        paths: Mapping[str, Path] | None = None,
    ) -> None:
        """Add captions to images, behind those that they have, put images into other splits, or say where they are.

        The phrases of images with new captions are dropped, so that `ground` finds those of all their captions.

        Parameters
        ----------
        captions, splits, paths : mapping
            By the images' keys.
        """
        places = {key: path.absolute().as_posix() for key, path in (paths or {}).items()}
        self._tables.delete("phrases", "key", captions)
        changed = [
            row
            | {"captions": [*row["captions"], *captions.get(row["key"], ())]}
            | {"split": splits.get(row["key"], row["split"]), "path": places.get(row["key"], row["path"])}
            for row in self._tables.rows_of("images", [*captions.keys() | splits.keys() | places.keys()])
        ]
        self._tables.put("images", pa.Table.from_pylist(changed, schema=rows.IMAGES), ["key"])

    def append_truth(self, examples: Sequence[Example]) -> None:
        """Add the ground truth of examples whose key is not in ``keys("truth")``; examples without phrases get no row.

        This and `append_images` are two commits. A job that was killed between them has to compare the keys of both
        tables when it continues.
        """
        self._tables.append("truth", rows.truth_to_rows(examples))

    def append_own(self, examples: Sequence[Example]) -> None:
        """Add the user boxes of examples whose key is not in ``keys("own")``; images without boxes get no row."""
        self._tables.append("own", rows.own_to_rows(examples))

    def append_regions(self, regions: Sequence[Regions], view: int = 0) -> None:
        """Add regions, with key and vectors, of images that have none yet; with ``view``, those of this view of them.

        Raises
        ------
        DataError
            If a key is blank, or vectors are missing or have different lengths.
        WorkspaceError
            If the vectors have another length than the stored ones.
        """
        if regions:
            self._append(regions_table(view), rows.regions_to_rows(regions), rows.OPTIONAL["regions"])

    def append_phrases(self, grounded: Mapping[str, Sequence[GroundedCaption]]) -> None:
        """Add the phrases of some images: key -> all captions of the image, in the order of the workspace.

        A caption without phrases, and an image without captions, get a row that marks them as done.
        """
        found = [row for key, captions in grounded.items() for row in phrase_rows.phrases_to_rows(key, captions)]
        self._append("phrases", pa.Table.from_pylist(found, schema=rows.PHRASES), rows.OPTIONAL["phrases"])

    def _append(self, name: str, new: pa.Table, optional: Sequence[str]) -> None:
        """Add rows to a table that, made by an older version, may lack the ``optional`` columns."""
        table = self._tables.open(name)
        if table is not None:
            new = new.drop_columns([column for column in optional if column not in table.schema.names])
        self._tables.append(name, new)

    def put_reviewed(self, examples: Sequence[Example]) -> None:
        """Store captions as reviewers left them; they replace earlier reviews of the same captions.

        They stay when the phrases are decoded again: `grounded` returns them instead of the decoded ones.
        """
        self._tables.put("reviewed", phrase_rows.reviewed_to_rows(examples), ("key", "caption"))

    def append_skipped(self, skipped: Sequence[Skipped], stage: str) -> None:
        """Add the items that a stage skipped, with the reason, unless they are already recorded."""
        there = {(item.key, item.reason) for item in self.skipped(stage)}
        told = ((_unicode(item.key), _unicode(item.reason)) for item in skipped)
        new = dict.fromkeys(pair for pair in told if pair not in there)
        found = [{"key": key, "stage": stage, "reason": reason} for key, reason in new]
        self._tables.append("skipped", pa.Table.from_pylist(found, schema=rows.SKIPPED))

    def forget_skipped(self, keys: Sequence[str]) -> None:
        """Remove the items of these keys from those that were skipped, as they were imported after all."""
        self._tables.delete("skipped", "key", keys, "stage = 'import'")

    def drop(self, table: str) -> None:
        """Remove a table, and before it the search index that was made from it."""
        if table in ("images", "regions"):
            remove_folder(self.search_folder)
        self._tables.drop(table)

    def optimize(self) -> None:
        """Merge the small fragments that appending left, and free the space of old versions.

        Needs up to twice the space of the largest table while it runs. A read in progress fails and must be repeated.
        """
        for name in TABLES:
            self._tables.optimize(name)

    def _state(self, stage: str) -> dict[str, tuple[int, int]]:
        """Table -> (number of rows, version), of the tables that a stage adds to."""
        tables = {name: self._tables.open(name) for name in OWN_TABLES[stage]}
        return {name: (table.count_rows(), table.version) if table else (0, 0) for name, table in tables.items()}

    def _forget_skipped(self, stage: str) -> None:
        if table := self._tables.open("skipped"):
            table.delete("stage = '{}'".format(stage.replace("'", "''")))


def _unicode(text: str) -> str:
    """The text with lone surrogates, which file names may hold and tables cannot store, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()

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
from typing import Any

import pyarrow as pa

from phrasebox.errors import WorkspaceError
from phrasebox.io.atomic import remove_folder
from phrasebox.io.paths import holds_any, in_store, place, reaching
from phrasebox.io.store_lock import Lease
from phrasebox.types import Example, GroundedCaption, Regions, Skipped
from phrasebox.workspace import decisions, manifest
from phrasebox.workspace import run_log as runs
from phrasebox.workspace import schema as rows
from phrasebox.workspace.decisions import Decisions
from phrasebox.workspace.lance_tables import Tables
from phrasebox.workspace.manifest import Manifest
from phrasebox.workspace.run_log import Run
from phrasebox.workspace.workspace_reader import WorkspaceReader

TABLES = ("images", "truth", "own", "regions", "phrases", "reviewed", "skipped")
STAGE_TABLES = {
    "import": ("images", "truth", "own", "regions", "phrases", "reviewed"),
    "regions": ("regions", "phrases"),
    "ground": ("phrases",),
}
"""The tables that are made anew when a stage is: first its own, then what is made from them."""

OWN_TABLES = {"import": ("images", "truth", "own", "reviewed"), "regions": ("regions",), "ground": ("phrases",)}
"""The tables that a stage adds to."""

MADE_FROM = {"regions": ("align", "caption", "evaluate"), "ground": ("caption",)}
"""The stages that make models and results, by the stage whose rows they read."""

_OWN_NAMES = {"db", "models", "lock", decisions.NAME, decisions.LOCK} | {
    f"{manifest.NAME}{unfinished}"
    for unfinished in ("", ".part", ".new")  # .new: of version 0.1
}


class Workspace(WorkspaceReader):
    """An existing workspace folder: its tables, models, settings, runs and decisions; `WorkspaceReader` reads them.

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

    @classmethod
    def create(cls, path: str | Path) -> Workspace:
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
    def _create_in_store(cls, folder: Path) -> Workspace:
        """The same, where there are no folders, only names that begin alike."""
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
        """Folder of the search index, which can be made again at any time."""
        if not in_store(self.path):
            return self.path / "search"
        name = hashlib.sha256(str(self.path).encode()).hexdigest()[:16]
        near = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "phrasebox", "search")
        near.mkdir(parents=True, exist_ok=True)
        return near / name  # it is mapped into memory

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other writer out; the lock ends with the process, however it ends.

        Raises
        ------
        WorkspaceError
            If another process, or another `lock` of this one, holds it.
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

    # What each stage was run with

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """The settings that every stage so far was run with."""
        return self._manifest.read()["stages"]

    def claim(self, stage: str, settings: Mapping[str, Any], *, fresh: bool = False) -> None:
        """Record the settings of a stage, so that going on with other settings is noticed.

        Parameters
        ----------
        stage : str
            Name of the job.
        settings : mapping
            What the stage's results depend on, as JSON values.
        fresh : bool
            Forget what the stage made and skipped before, and all that was made from it (`STAGE_TABLES`). The runs that
            led to a model which ``settings`` name stay recorded.

        Raises
        ------
        WorkspaceError
            If the stage was run with other settings before and ``fresh`` is not asked for.
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
        # Written last: if this is cut short, results are missing, never results under settings they were not made with.
        self._manifest.claim(stage, settings, forgotten, self.models_in(settings))

    def models_in(self, settings: Mapping[str, Any]) -> set[str]:
        """Own models, as `Run.makes`, whose files ``settings`` name, such as the fine-tuned backbones of a model."""
        folder = os.path.abspath(str(self.models)) + os.sep
        files = [os.path.abspath(value) for value in settings.values() if isinstance(value, str) and "/" in value]
        names = {file.removeprefix(folder).split(os.sep)[0] for file in files if file.startswith(folder)}
        return {f"{self.models.name}/{name}" for name in names}

    @property
    def runs(self) -> list[Run]:
        """What made the rows and models that are there, in the order it was run (see `phrasebox.workspace.run_log`)."""
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
            # Never left, and now collected, on whatever thread that happens: were it Lance's own, a question to a
            # table would wait for itself. The record says already that the run did not finish.
            raise
        except BaseException:
            end(finished=False)
            raise
        end(finished=True)

    def made(self, run: Run, anew: bool = True) -> None:
        """Record a finished run that made a model or a result, in place of the one that had made it before.

        Parameters
        ----------
        anew : bool
            False if it was there already and the run found nothing to do.
        """
        self._manifest.keep_runs(runs.made(self.runs, run, anew))

    def note(self, run: Run) -> None:
        """Record a finished run that wrote outside the tables, if the workspace can be written to now.

        What only reads a workspace works where it is read-only and while another command writes to it; its run is
        not recorded then.
        """
        try:
            with self.lock():
                self.made(run)
        except (OSError, WorkspaceError):
            return

    # Writing: each call is one commit

    def append_images(self, examples: Sequence[Example], sizes: Sequence[tuple[int, int]]) -> None:
        """Add images whose key is not in ``keys("images")``, each with (width, height), (0, 0) where unknown."""
        self._tables.append("images", rows.images_to_rows(examples, sizes))

    def append_truth(self, examples: Sequence[Example]) -> None:
        """Add the ground truth of examples whose key is not in ``keys("truth")``; those without phrases have none.

        This and `append_images` are two commits: a stop in between leaves one of them ahead, so that a job which
        goes on has to look at the keys of each.
        """
        self._tables.append("truth", rows.truth_to_rows(examples))

    def append_own(self, examples: Sequence[Example]) -> None:
        """Add user boxes of examples whose key is not in ``keys("own")``; images without boxes get no row."""
        self._tables.append("own", rows.own_to_rows(examples))

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
            new, table = rows.regions_to_rows(regions), self._tables.open("regions")
            if table is not None and "closed" not in table.schema.names:  # of an older version, which did not tell
                new = new.drop_columns(["closed"])
            self._tables.append("regions", new)

    def append_phrases(self, grounded: Mapping[str, Sequence[GroundedCaption]]) -> None:
        """Add what the captions of some images came to: by key, all captions of the image in the workspace's order.

        A caption without phrases, and an image without captions, leave a marker that they are done.
        """
        found = [row for key, captions in grounded.items() for row in rows.phrases_to_rows(key, captions)]
        self._tables.append("phrases", pa.Table.from_pylist(found, schema=rows.PHRASES))

    def put_reviewed(self, examples: Sequence[Example]) -> None:
        """Keep what people made of reviewed captions, in place of what they made of the same ones before.

        It outlives the phrases: `grounded` gives it in place of what is decoded, however often that is done anew.
        """
        self._tables.put("reviewed", rows.reviewed_to_rows(examples), ("key", "caption"))

    def append_skipped(self, skipped: Sequence[Skipped], stage: str) -> None:
        """Add what a stage left out and why; what is there already is not repeated."""
        there = {(item.key, item.reason) for item in self.skipped(stage)}
        told = ((_unicode(item.key), _unicode(item.reason)) for item in skipped)
        new = dict.fromkeys(pair for pair in told if pair not in there)
        found = [{"key": key, "stage": stage, "reason": reason} for key, reason in new]
        self._tables.append("skipped", pa.Table.from_pylist(found, schema=rows.SKIPPED))

    def drop(self, table: str) -> None:
        """Remove a table, whole, and first what search made from it."""
        if table in ("images", "regions"):
            remove_folder(self.search_folder)
        self._tables.drop(table)

    def optimize(self) -> None:
        """Merge the small pieces that appending left, and free the space of old versions.

        Takes up to twice the largest table's space while it runs; whoever is reading meanwhile must start over.
        """
        for name in TABLES:
            self._tables.optimize(name)

    def _state(self, stage: str) -> dict[str, tuple[int, int]]:
        """Rows and version of the tables that a stage adds to."""
        tables = {name: self._tables.open(name) for name in OWN_TABLES[stage]}
        return {name: (table.count_rows(), table.version) if table else (0, 0) for name, table in tables.items()}

    def _forget_skipped(self, stage: str) -> None:
        if table := self._tables.open("skipped"):
            table.delete("stage = '{}'".format(stage.replace("'", "''")))


def _unicode(text: str) -> str:
    """The text with half characters, as file names may hold them, spelled out: tables cannot keep them."""
    return text.encode("utf-8", "backslashreplace").decode()

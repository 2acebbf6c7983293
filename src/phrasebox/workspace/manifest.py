"""The workspace's manifest: its format, and the settings and runs of its stages."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from phrasebox.errors import WorkspaceError
from phrasebox.io.atomic import write_json
from phrasebox.io.paths import reaching
from phrasebox.io.version import __version__
from phrasebox.workspace.run_log import Run

FORMAT = 1
NAME = "manifest.json"
_LARGEST = 1 << 24  # bytes


class Manifest:
    """The file ``manifest.json`` of a workspace; it is always replaced as a whole.

    Raises
    ------
    WorkspaceError
        If the folder is not a workspace, its manifest is damaged, or was made by a newer version.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        made = self.read()["format"]
        if made > FORMAT:
            raise WorkspaceError(f"{folder} has workspace format {made}, this version reads {FORMAT}; update phrasebox")

    @classmethod
    def create(cls, folder: Path) -> Manifest:
        """Write the manifest of a new workspace."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        made = {"format": FORMAT, "version": __version__, "created": created, "stages": {}}
        write_json(folder / NAME, made)
        return cls(folder)

    def read(self) -> dict[str, Any]:
        """The manifest as it is on disk now."""
        try:
            with reaching(self._folder), (self._folder / NAME).open("rb") as file:
                found = json.loads(file.read(_LARGEST))
            if not (
                isinstance(found["format"], int)
                and all(isinstance(settings, dict) for settings in found["stages"].values())
                and all(isinstance(r["stage"], str) and isinstance(r["arguments"], dict) for r in found.get("runs", []))
            ):
                raise ValueError("it holds no format, stages and runs")
            return found
        except (FileNotFoundError, NotADirectoryError) as error:
            message = f"{self._folder} is not a workspace; make one with: phrasebox import SOURCE {self._folder}"
            raise WorkspaceError(message) from error
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise WorkspaceError(f"{self._folder / NAME} is damaged: {error}; import into a new folder") from error

    def runs(self) -> list[Run]:
        """The recorded runs, in order; empty for a workspace of an early version."""
        try:
            return [Run.from_json(run) for run in self.read().get("runs", [])]
        except (TypeError, AttributeError) as error:
            raise WorkspaceError(f"{self._folder / NAME} is damaged: {error}; import into a new folder") from error

    def keep_runs(self, runs: Iterable[Run]) -> None:
        """Replace the runs."""
        write_json(self._folder / NAME, self.read() | {"runs": [run.to_json() for run in runs]})

    def claim(
        self,
        stage: str,
        settings: Mapping[str, Any],
        forgotten: Collection[str] = (),
        needed: Collection[str] = (),
    ) -> None:
        """Record the settings of a stage, unless they are already recorded.

        Parameters
        ----------
        stage : str
            Name of the stage.
        settings : mapping
            Settings that the stage's results depend on, as JSON values.
        forgotten : collection of str
            Stages to remove from the manifest, with their settings and runs.
        needed : collection of str
            Models, as `Run.makes`, that ``settings`` name: the runs up to the one that made the last of them stay.

        Raises
        ------
        WorkspaceError
            If the stage is already recorded with other settings.
        """
        manifest = self.read()
        stages = manifest["stages"]
        for name in forgotten:
            stages.pop(name, None)
        if "runs" in manifest:
            runs = manifest["runs"]
            last = max((i for i, run in enumerate(runs) if run.get("makes") in needed), default=-1)
            manifest["runs"] = [run for i, run in enumerate(runs) if i <= last or run["stage"] not in forgotten]
        wanted = json.loads(json.dumps(dict(settings)))
        before = stages.setdefault(stage, wanted)
        if before != wanted:
            names = sorted(name for name in before.keys() | wanted.keys() if before.get(name) != wanted.get(name))
            differing = ", ".join(f"{name}={before.get(name)!r} (now {wanted.get(name)!r})" for name in names)
            raise WorkspaceError(
                f"stage {stage!r} of {self._folder} was run with {differing}; use the same, or start again with --fresh"
            )
        write_json(self._folder / NAME, manifest)

"""The record of the runs that made a workspace's rows and models, with settings, seeds and versions.

Tables keep the order of writing, so a run made the rows from its `Run.first` up to that of the stage's next run.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from phrasebox.io.old_names import current
from phrasebox.io.version import __version__

COMMAND_LINE: ContextVar[tuple[str, ...]] = ContextVar("arguments of the running command", default=())

_PACKAGES = (
    "numpy",
    "pillow",
    "torch",
    "openvino",
    "timm",
    "transformers",
    "opencv-contrib-python-headless",
)


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    from importlib import metadata

    found = {"python": platform.python_version(), "machine": platform.machine(), "phrasebox": __version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return tuple(found.items())


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, and the processor architecture."""
    return dict(_versions())


def timestamp() -> str:
    """The time, as run logs and decisions record it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a stage.

    Attributes
    ----------
    stage : str
        Name of the stage and its command.
    arguments : dict
        Option name -> value, as JSON values.
    settings : dict
        Settings that the results depend on.
    seed : int or None
        Random seed; None for a stage without randomness.
    makes : str
        Path, inside the workspace, of the model or result that the run makes; empty for a stage that adds rows.
    first : dict
        Table name -> number of rows before the run.
    versions : dict
        Package versions, see `versions`.
    started : str
        Start time in UTC, ISO 8601.
    finished : bool
        Whether the run completed.
    argv : tuple of str
        Arguments of the command line, without ``phrasebox``; empty if run from Python.
    """

    stage: str
    arguments: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    makes: str = ""
    first: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=versions)
    started: str = field(default_factory=timestamp)
    finished: bool = False
    argv: tuple[str, ...] = field(default_factory=lambda: COMMAND_LINE.get())

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Run:
        """A run from the manifest; fields that newer versions added are ignored."""
        known = {one.name for one in fields(cls)}
        run = cls(**{name: value for name, value in values.items() if name in known})
        return replace(run, settings=current(run.stage, run.settings))

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return asdict(self)

    def same(self, other: Run) -> bool:
        """Whether both have equal arguments, settings, seed and versions."""
        return _comparable(self) == _comparable(other)


def _comparable(run: Run) -> str:
    wanted = [run.stage, run.arguments, run.settings, run.seed, run.makes, run.versions]
    return json.dumps(wanted, sort_keys=True)


def began(runs: Sequence[Run], new: Run) -> list[Run]:
    """``runs`` after ``new`` started to add rows; it continues the last run if both are the same."""
    if runs and runs[-1].same(new):
        return [*runs[:-1], replace(runs[-1], finished=False)]
    if runs and not runs[-1].finished and runs[-1].stage == new.stage and runs[-1].first == new.first:
        return [*runs[:-1], new]  # the last was stopped before it added rows
    return [*runs, new]


def ended(before: Sequence[Run], new: Run, changed: bool, finished: bool) -> list[Run]:
    """The runs after ``new`` ended; if it ``changed`` nothing, the runs ``before`` it."""
    if changed:
        runs = began(before, new)
        return [*runs[:-1], replace(runs[-1], finished=finished)]
    if finished and before and before[-1].same(new):
        return [*before[:-1], replace(before[-1], finished=True)]
    return list(before)


def made(runs: Sequence[Run], new: Run, anew: bool) -> list[Run]:
    """``runs`` with a finished run that made a model or result; it replaces the run that made it before.

    If nothing was computed (``anew`` is False), the earlier run stays.
    """
    if not anew and any(run.makes == new.makes for run in runs):
        return list(runs)
    return [*(run for run in runs if run.makes != new.makes), replace(new, finished=True)]

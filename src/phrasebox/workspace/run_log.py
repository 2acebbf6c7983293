"""What made the rows and models of a workspace: the runs of its stages with settings, seeds and versions.

Tables keep the order in which they were written, so a run made the rows from its `Run.first` up to that of the next run
of the same stage.
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

COMMAND_LINE: ContextVar[tuple[str, ...]] = ContextVar("the command line that runs", default=())

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
    """Versions of this interpreter and of the packages that results depend on, and the kind of processor."""
    return dict(_versions())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a stage.

    Attributes
    ----------
    stage : str
        The command's name.
    arguments : dict
        What the command was asked for, by the long names of its options; only JSON values.
    settings : dict
        What else the results depend on.
    seed : int or None
        Of a stage that draws at random.
    makes : str
        What it makes as a whole, a path inside the workspace; empty for a stage that adds rows.
    first : dict
        Rows that each of the stage's own tables had before.
    versions : dict
        As `versions`.
    started : str
        ISO time.
    finished : bool
        It came to its end.
    argv : tuple of str
        The words after ``phrasebox`` of the command line that ran it; none from Python.
    """

    stage: str
    arguments: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    makes: str = ""
    first: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=versions)
    started: str = field(default_factory=_now)
    finished: bool = False
    argv: tuple[str, ...] = field(default_factory=lambda: COMMAND_LINE.get())

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Run:
        """A run as the manifest keeps it; what newer versions add is passed over."""
        known = {one.name for one in fields(cls)}
        run = cls(**{name: value for name, value in values.items() if name in known})
        return replace(run, settings=current(run.stage, run.settings))

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return asdict(self)

    def same(self, other: Run) -> bool:
        """Whether both ask for the same, of the same versions."""
        return _asked(self) == _asked(other)


def _asked(run: Run) -> str:
    wanted = [run.stage, run.arguments, run.settings, run.seed, run.makes, run.versions]
    return json.dumps(wanted, sort_keys=True)


def began(runs: Sequence[Run], new: Run) -> list[Run]:
    """``runs`` with a run that starts to add rows; one that goes on with the last is the same run."""
    if runs and runs[-1].same(new):
        return [*runs[:-1], replace(runs[-1], finished=False)]
    if runs and not runs[-1].finished and runs[-1].stage == new.stage and runs[-1].first == new.first:
        return [*runs[:-1], new]  # the last was stopped before it had added anything
    return [*runs, new]


def ended(before: Sequence[Run], new: Run, changed: bool, finished: bool) -> list[Run]:
    """The runs after ``new`` ended; where it ``changed`` nothing, those that were there ``before`` it."""
    if changed:
        runs = began(before, new)
        return [*runs[:-1], replace(runs[-1], finished=finished)]
    if finished and before and before[-1].same(new):
        return [*before[:-1], replace(before[-1], finished=True)]
    return list(before)


def made(runs: Sequence[Run], new: Run, anew: bool) -> list[Run]:
    """``runs`` with a finished one that made something whole, in place of what had made it before.

    Where it was only found finished (not ``anew``), the run that made it stays.
    """
    if not anew and any(run.makes == new.makes for run in runs):
        return list(runs)
    return [*(run for run in runs if run.makes != new.makes), replace(new, finished=True)]

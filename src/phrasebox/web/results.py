"""Results stored in a workspace: tables of measurements, one table a measure, and training histories."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phrasebox.stages.doctor import next_steps
from phrasebox.web.public import without_paths
from phrasebox.workspace.workspace import Workspace

JOBS = "jobs"
"""Folder of the workspace with what its jobs left; those that measured have a ``results.json``."""

_TRAINED_ON = ("train", "all")  # splits with images that models of the workspace are trained on


@dataclass(frozen=True, slots=True)
class Results:
    """Measurements and training histories.

    Attributes
    ----------
    tables : list of dict
        As `phrasebox.evaluate.ResultTable.to_json`, with the name of their ``file``.
    trainings : dict of str to list of dict
        Epochs of the training of each model of the workspace.
    measures : list of dict
        For each measure and its columns, the rows of all runs.
    empty : dict or None
        What to do if there is nothing yet: ``what`` and ``command``.
    """

    tables: list[dict[str, Any]]
    trainings: dict[str, list[dict[str, Any]]]
    measures: list[dict[str, Any]]
    empty: dict[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return {name: getattr(self, name) for name in ("tables", "trainings", "measures", "empty")}


def read_results(workspace: Workspace) -> Results:
    """Read all measurements and training histories; unreadable files are skipped."""
    made = {run.makes: run for run in workspace.runs}
    tables, measured = [], []
    for file in sorted((workspace.path / "results").glob("*.json")):
        found = _tables(file)
        run = made.get(f"results/{file.name}")
        name = _named(run.arguments, run.started) if run else file.stem
        tables += [table | {"file": file.stem} for table in found]
        measured += [table | {"run": name} for table in found]
    for file in sorted((workspace.path / JOBS).glob("*/results.json"), reverse=True):
        measured += [table | {"run": _name_of_job(file.parent)} for table in _tables(file)]
    histories = {file.parent.name: _read_records(file) for file in sorted(workspace.models.glob("*/history.json"))}
    histories = {name: history for name, history in histories.items() if history}
    empty = None
    if not (measured or histories):
        steps = [step for step in next_steps(workspace) if step.stage]
        command = without_paths(steps[0].command, str(workspace.path)) if steps else "phrasebox evaluate WS"
        empty = {"what": "nothing was measured or trained in this workspace yet", "command": command}
    return Results(tables, histories, _measures(measured), empty)


def _tables(file: Path) -> list[dict[str, Any]]:
    return [table for table in _read_records(file) if isinstance(table.get("rows"), list)]


def _named(options: Mapping[str, Any], started: str) -> str:
    """Name of a run: its model and when it began."""
    model = without_paths(str(options.get("model") or "default model"))
    return f"{model}, {started[:16].replace('T', ' ')}"


def _name_of_job(folder: Path) -> str:
    try:
        job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        return _named(job["options"], job["started"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return folder.name


def _measures(tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One table for each protocol and columns, with the rows of all runs; a run that is there twice is told once."""
    found: dict[tuple[str, tuple[str, ...]], dict[str, dict[str, Any]]] = {}
    for table in tables:
        split = str(table.get("split", ""))
        for row in table["rows"]:
            if not isinstance(row, dict):
                continue
            columns = tuple(name for name in row if not name.endswith(" sd"))
            values = [row[name] for name in columns]
            told = {"run": table["run"], "split": split, "trained_on": split in _TRAINED_ON, "values": values}
            same = json.dumps([split, values], sort_keys=True, default=str)
            found.setdefault((str(table.get("protocol", "measurement")), columns), {}).setdefault(same, told)
    return [
        {"measure": measure, "columns": list(columns), "rows": list(rows.values())}
        for (measure, columns), rows in found.items()
    ]


def _read_records(file: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [_without_nan(one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _without_nan(value: Any) -> Any:
    """The value with null in place of numbers that JSON does not have."""
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

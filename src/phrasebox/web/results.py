"""Results stored in a workspace: tables of measurements, and training histories."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phrasebox.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Results:
    """Measurements and training histories.

    Attributes
    ----------
    tables : list of dict
        As `phrasebox.evaluate.ResultTable.to_json`, with the name of their ``file``.
    trainings : dict of str to list of dict
        Epochs of the training of each model of the workspace.
    """

    tables: list[dict[str, Any]]
    trainings: dict[str, list[dict[str, Any]]]


def read_results(workspace: Workspace) -> Results:
    """Read all measurements and training histories; unreadable files are skipped."""
    tables = [
        table | {"file": file.stem}
        for file in sorted((workspace.path / "results").glob("*.json"))
        for table in _read_records(file)
        if isinstance(table.get("rows"), list)
    ]
    histories = {file.parent.name: _read_records(file) for file in sorted(workspace.models.glob("*/history.json"))}
    return Results(tables, {name: history for name, history in histories.items() if history})


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

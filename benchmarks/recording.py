"""Write the results of a benchmark to ``docs/results/NAME.json``, from which the tables of the documentation are made.

    python benchmarks/recording.py NAME WORKSPACE/results/SPLIT.json

replaces the tables of ``docs/results/NAME.json`` by those that `phrasebox evaluate` wrote. Rows of methods that were
not measured again stay, such as those of captioners that are compared.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "docs" / "results"


def keep(name: str, workspace_results: Path) -> Path:
    """Replace the tables of ``docs/results/NAME.json``, but for rows of other methods, by those in a workspace."""
    out = FOLDER / f"{name}.json"
    found = json.loads(out.read_text(encoding="utf-8"))
    tables = json.loads(workspace_results.read_text(encoding="utf-8"))
    before = {table["protocol"]: table["rows"] for table in found["tables"]}
    for table in tables:
        table["protocol"] = table["protocol"].split(";")[0]  # without what could not be measured
        measured = {row.get("method") for row in table["rows"]}
        table["rows"] += [row for row in before.get(table["protocol"], ()) if row.get("method") not in measured]
    return record(name, found["title"], found["about"], found["command"], tables)


def record(name: str, title: str, about: str, command: str, tables: Iterable[Mapping[str, Any]]) -> Path:
    """Write ``docs/results/NAME.json``.

    Parameters
    ----------
    title, about : str
        Heading, and one or two sentences of Markdown: what was measured, on which data.
    command : str
        Command line that gives the same results.
    tables : iterable of mapping
        Each with ``title`` and ``rows`` (records of plain values), or the value of `ResultTable.to_json`.
    """
    found = {"title": title, "about": about, "command": command, "tables": list(tables)}
    FOLDER.mkdir(exist_ok=True)
    out = FOLDER / f"{name}.json"
    out.write_text(json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return out


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/recording.py NAME WORKSPACE/results/SPLIT.json")
    print(keep(sys.argv[1], Path(sys.argv[2])))

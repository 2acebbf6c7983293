"""Measured numbers -> tables. A file of ``docs/results/`` holds what one command measured:

``{"title", "about", "command", "tables": [{"protocol" or "title": text, "rows": [{column: value, ...}, ...]}, ...]}``,
its tables as `phrasebox.evaluate.ResultTable.to_json` gives them; ``benchmarks/recording.py`` writes it. Or
``"results"``, a record for each run, of numbers, of numbers by name, and of records by name, beside what all share.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent
FOLDER = DOCS / "results"


def tables(name: str) -> str:
    """Tables as Markdown: all of a file, of ``NAME / PROTOCOL`` some, of ``*`` those of files that no page names."""
    if name != "*":
        name, _, protocol = name.partition(" / ")
        return _markdown(name, protocol)
    pages = [page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md")]
    named = {found for page in pages for found in re.findall(r"\{\{results ([\w-]+)\}\}", page)}
    others = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem not in named)
    return "\n\n".join(f"## {_load(other).get('title', other)}\n\n{_markdown(other)}" for other in others)


def figure(given: str) -> str:
    """One number, asked for as ``NAME / PROTOCOL / LABEL, ... / COLUMN``.

    Raises
    ------
    ValueError
        If not exactly one row of one table has all these labels.
    """
    name, protocol, labels, column = (part.strip() for part in given.split(" / "))
    wanted = {label.strip() for label in labels.split(",")}
    found = [
        row[column]
        for table in _load(name)["tables"]
        if _title(table).split(" · ")[0] == protocol
        for row in table["rows"]
        if wanted <= {str(value) for value in row.values()}
    ]
    if len(found) != 1:
        raise ValueError(f"{FOLDER / name}.json has {len(found)} rows for {given!r}")
    return _cell(found[0])


def _markdown(name: str, protocol: str = "") -> str:
    found = _load(name)
    parts = [found["about"]] if found.get("about") and not protocol else []
    if found.get("command") and not protocol:
        parts.append(f"Printed by `{found['command']}`.")
    chosen = [table for table in found["tables"] if _title(table).startswith(protocol)]
    if not chosen:
        raise ValueError(f"{FOLDER / name}.json has no table {protocol!r}")
    for table in chosen:
        columns = list(dict.fromkeys(column for row in table["rows"] for column in row))
        numbers = [all(not isinstance(row.get(column), str) for row in table["rows"]) for column in columns]
        head = "| " + " | ".join(columns) + " |"
        rule = "|" + "|".join("---:" if number else "---" for number in numbers) + "|"
        body = ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in table["rows"]]
        parts.append(f"**{_title(table)}**\n\n" + "\n".join([head, rule, *body]))
    return "\n\n".join(parts)


def _title(table: dict[str, Any]) -> str:
    if "title" in table:
        return table["title"]
    seeds = ", ".join(map(str, table["seeds"]))
    return f"{table['protocol']} · split {table['split']} · seed{'s' if len(table['seeds']) > 1 else ''} {seeds}"


def _cell(value: str | float | None) -> str:
    """Numbers from 1,000 without decimals, others with one, and small ones, as beta is, with three that count."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("|", "\\|")
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if 0.001 <= abs(value) < 0.1 else f"{value:.1f}"


@cache
def _load(name: str) -> dict[str, Any]:
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    if isinstance(found, dict) and "results" in found:
        return {
            "title": name.replace("-", " ").capitalize(),
            "about": _about(found),
            "tables": _nested(found["results"]),
        }
    found = found if isinstance(found, dict) else {"tables": found}
    if not isinstance(found.get("tables"), list):
        raise ValueError(f"{FOLDER / name}.json has neither tables nor results")
    return found


def _about(found: dict[str, Any]) -> str:
    said = {name: value for name, value in found.items() if isinstance(value, str | int | float)}
    return ", ".join(f"{name.replace('_', ' ')}: {_cell(value)}" for name, value in said.items())


def _nested(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A table of every run's numbers, and for each name that holds records a table of these, a row a run and record."""
    runs: list[dict[str, Any]] = []
    inner: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        first = dict(list(result.items())[:1])
        row: dict[str, Any] = {}
        for name, value in result.items():
            if not isinstance(value, dict):
                row[name] = value
            elif all(isinstance(each, dict) for each in value.values()):
                inner.setdefault(name, []).extend(first | {name: key} | each for key, each in value.items())
            else:
                row |= {f"{name} {key}": each for key, each in value.items()}
        runs.append({name.replace("_", " "): value for name, value in row.items()})
    return [*({"title": name, "rows": rows} for name, rows in inner.items()), {"title": "runs", "rows": runs}]

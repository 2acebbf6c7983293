"""Measured numbers -> Markdown tables.

    python docs/making/results.py

brings the tables of ``README.md`` and ``docs/results.md`` up to date: what stands between ``<!-- results NAME -->`` and
``<!-- end -->`` is replaced by the tables of ``docs/results/NAME.json``. Such a file holds what one command measured:
``{"title", "about", "command", "tables": [{"protocol" or "title": text, "rows": [{column: value, ...}, ...]}, ...]}``,
its tables as `phrasebox.evaluate.ResultTable.to_json` gives them. ``benchmarks/recording.py`` writes it. A file may
instead hold ``"results"``: one record for each run, with the settings that all runs share beside it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent
FOLDER = DOCS / "results"


_WRITTEN = re.compile(r"(<!-- results (.+?) -->\n).*?(<!-- end -->)", re.S)


def updated(page: str) -> str:
    """The page with its written tables as the files have them now."""
    return _WRITTEN.sub(lambda found: f"{found[1]}\n{tables(found[2])}\n\n{found[3]}", page)


def tables(name: str) -> str:
    """Tables as Markdown: all of the file ``NAME``, or with ``NAME / PROTOCOL`` those whose title begins so."""
    name, _, protocol = name.partition(" / ")
    return _markdown(name, protocol)


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
        parts.append("Printed by " + ", ".join(f"`{each}`" for each in found["command"].split("; ")) + ".")
    chosen = [table for table in found["tables"] if _title(table).startswith(protocol)]
    if not chosen:
        raise ValueError(f"{FOLDER / name}.json has no table {protocol!r}")
    for table in chosen:
        measured = dict.fromkeys(column for row in table["rows"] for column, value in row.items() if value is not None)
        columns = [column for column in measured if not column.endswith(" sd")]
        numbers = [all(not isinstance(row.get(column), str) for row in table["rows"]) for column in columns]
        head = "| " + " | ".join(columns) + " |"
        rule = "|" + "|".join("---:" if number else "---" for number in numbers) + "|"
        body = ["| " + " | ".join(_entry(row, column) for column in columns) + " |" for row in table["rows"]]
        title = [f"**{_title(table)}**\n"] if _title(table) else []
        parts.append("\n".join([*title, head, rule, *body]))
    return "\n\n".join(parts)


def _title(table: dict[str, Any]) -> str:
    if "title" in table:
        return table["title"]
    seeds = ", ".join(map(str, table["seeds"]))
    return f"{table['protocol']} · split {table['split']} · seed{'s' if len(table['seeds']) > 1 else ''} {seeds}"


def _entry(row: dict[str, Any], column: str) -> str:
    """A value, with its standard deviation over the seeds where the row has one."""
    value, deviation = row.get(column), row.get(f"{column} sd")
    if isinstance(value, float) and (column == "beta" or column.startswith("recall@")):
        return f"{value:.3g}"
    return _cell(value) + ("" if deviation is None else f" ± {deviation:.1f}")


def _cell(value: str | float | None) -> str:
    """No decimals from 1,000 on, three significant digits below 0.1 (beta), one decimal otherwise."""
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
    """One table of every run's numbers; and for each name that holds records, a table with one row a run and record."""
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


if __name__ == "__main__":
    for page in (DOCS.parent / "README.md", DOCS / "results.md"):
        page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")

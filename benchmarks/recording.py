"""What a benchmark measured, kept where the documentation's tables are made from: ``docs/results/NAME.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "docs" / "results"


def record(name: str, title: str, about: str, command: str, tables: Iterable[Mapping[str, Any]]) -> Path:
    """Write ``docs/results/NAME.json``.

    Parameters
    ----------
    title, about : str
        Heading, and what was measured on what, in a sentence or two of Markdown.
    command : str
        What prints the same again.
    tables : iterable of mapping
        Each with ``title`` and ``rows``, a record of plain values a row; or what `ResultTable.to_json` gives.
    """
    found = {"title": title, "about": about, "command": command, "tables": list(tables)}
    FOLDER.mkdir(exist_ok=True)
    out = FOLDER / f"{name}.json"
    out.write_text(json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return out

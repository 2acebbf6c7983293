"""The page of formats, generated from the registry and the format modules."""

from __future__ import annotations

import inspect
from importlib import import_module
from types import ModuleType

from phrasebox.formats import CAPTIONS_ONLY, READERS, WRITERS


def page(_: str = "") -> str:
    """One table of the formats that are read, with how they are recognised, and one of those that are written."""
    read = [f"| `{name}` | {_cell(_module(module).LAYOUT)} |" for name, module in READERS.items()]
    written = [
        f"| `{name}` | {_first_line(module)} | {_cell(_module(module).COORDINATES)} | {_module(module).PICTURES} |"
        for name, module in sorted(WRITERS.items())
    ]
    return "\n".join(
        [
            "## Read",
            "",
            "The format is detected; if several fit, the first of the table is taken. `--format` names one.",
            "",
            "| format | what it looks for |",
            "|---|---|",
            *read,
            "",
            "## Written",
            "",
            f"{', '.join(f'`{name}`' for name in sorted(CAPTIONS_ONLY))} contain captions only, no phrases.",
            "",
            "Boxes are of the picture as it is seen, upright: a reader has to turn named pictures as EXIF says.",
            "",
            "| format | what it writes | coordinates of a box | pictures |",
            "|---|---|---|---|",
            *written,
        ]
    )


def _first_line(module: str) -> str:
    return _cell((inspect.getdoc(_module(module).write) or "").split("\n\n")[0])


def _module(name: str) -> ModuleType:
    return import_module(f"phrasebox.formats.{name}")


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").replace("<", "&lt;").split())

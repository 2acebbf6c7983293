"""The table of formats, from the registry and the modules themselves."""

from __future__ import annotations

import inspect
from importlib import import_module
from types import ModuleType

from phrasebox.formats import CAPTIONS_ONLY, READERS, WRITERS


def page(_: str = "") -> str:
    """What is read, by what it is recognised, and what is written."""
    read = [f"| `{name}` | {_cell(_module(module).LAYOUT)} |" for name, module in READERS.items()]
    written = [f"| `{name}` | {_first_line(module)} |" for name, module in sorted(WRITERS.items())]
    return "\n".join(
        [
            "## Read",
            "",
            "A source that suits several is taken by the first; `--format` names one.",
            "",
            "| format | what it looks for |",
            "|---|---|",
            *read,
            "",
            "## Written",
            "",
            f"{', '.join(f'`{name}`' for name in sorted(CAPTIONS_ONLY))} hold captions alone.",
            "",
            "| format | what it writes |",
            "|---|---|",
            *written,
        ]
    )


def _first_line(module: str) -> str:
    return _cell((inspect.getdoc(_module(module).write) or "").split("\n\n")[0])


def _module(name: str) -> ModuleType:
    return import_module(f"phrasebox.formats.{name}")


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").replace("<", "&lt;").split())

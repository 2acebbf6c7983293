"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "broken"]
Area = Literal["machine", "workspace", "data"]
MARKS: dict[Level, str] = {"ok": "ok    ", "note": "note  ", "broken": "BROKEN"}
"""How the line of a finding begins."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes
    ----------
    level : {"ok", "note", "broken"}
        ``note``: works, but may be unintended; ``broken``: wrong, or will fail.
    area : {"machine", "workspace", "data"}
        What was checked.
    what : str
        What was found.
    remedy : str
        What to do about it; empty if nothing needs to be done.
    """

    level: Level
    area: Area
    what: str
    remedy: str = ""

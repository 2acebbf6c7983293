"""What an examination finds, one line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "broken"]
Area = Literal["machine", "workspace", "data"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    level : {"ok", "note", "broken"}
        ``note``: it works, but may not be what is wanted; ``broken``: something will fail or is wrong.
    area : {"machine", "workspace", "data"}
    what : str
        What was found.
    remedy : str
        What to do about it; empty where there is nothing to do.
    """

    level: Level
    area: Area
    what: str
    remedy: str = ""


def counted(number: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "image"), counted(1200, "image")
    ('1 image', '1,200 images')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

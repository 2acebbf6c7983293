"""What the phrases of the small workspace are, and the lines of a file."""

from __future__ import annotations

import json
from pathlib import Path

from phrasebox.types import Box, Phrase

FIRST, SECOND = "a dog beside a cat", "two animals"
KEYS = ("1.png", "in a # folder/2.png", "3.png")
DOG = "1.png#0#0-5"


def phrase(text: str, start: int, end: int, score: float) -> Phrase:
    return Phrase(text[start:end], (start, end), Box(0, 0, 20, 20), score, 0.3, region=2)


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

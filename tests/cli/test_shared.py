"""What the commands share."""

from __future__ import annotations

import pytest

from phrasebox.cli.shared import print_phrases
from phrasebox.types import Box, Phrase

CAPTION = "A smiling woman in an orange space suit holds a [red] helmet in front of an American flag ."


def phrase(text, whole=False):
    return Phrase(text, (0, len(text)), Box(1000, 2000, 3000, 4000), 0.314, 0.2, whole)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_phrases_stand_below_their_caption_which_is_told_once(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    shown = [
        ("a.png", CAPTION, [phrase("A smiling woman in an orange space suit", whole=True), phrase("flag")]),
        ("a.png", "Nothing .", []),
        ("b.png", "二匹の犬", [phrase("犬")]),
    ]
    print_phrases("3 pairs", shown)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0] == "3 pairs"
    assert [line for line in lines if line.endswith(".png")] == ["a.png", "b.png"]
    assert " ".join(" ".join(lines).split()).count(CAPTION) == 1
    row = next(line.split() for line in lines if line.strip().startswith("flag"))
    assert row == ["flag", "1000", "2000", "3000", "4000", "0.31", "0.20"]
    assert sum("whole image" in line for line in lines) == 1

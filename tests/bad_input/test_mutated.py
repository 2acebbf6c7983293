"""Damaged files of every kind end in an answer or in one line; what is whole beside the damage is still read."""

from __future__ import annotations

import random

import pytest
from mutating import NAMES, mutated, try_out

from phrasebox.formats import read_source
from phrasebox.types import Example

FILES = 250


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2, 3))])
@pytest.mark.parametrize("name", NAMES)
def test_no_file_does_harm(name, seed, every_kind):
    assert try_out(every_kind[name], FILES, seed) > FILES / 100


LINES = {
    "flickr-token": ("Some.token.txt", "{0}.jpg#0\tA dog and {0} – 犬 .\n"),
    "odvg": (
        "some.jsonl",
        '{{"filename": "{0}.jpg", "height": 48, "width": 64, "grounding": {{"caption": "A dog and {0}", '
        '"regions": [{{"bbox": [1, 2, 20, 21], "phrase": "A dog", "tokens_positive": [[0, 5]]}}]}}}}\n',
    ),
}


@pytest.mark.parametrize("format", LINES)
def test_the_other_lines_are_read(format, tmp_path):
    name, line = LINES[format]
    first, middle, last = (line.format(word).encode() for word in ("aaaaaaaa", "pppppppp", "zzzzzzzz"))
    (tmp_path / name).write_bytes(first + last)
    wanted = list(read_source(tmp_path / name, format))
    assert [example.key for example in wanted] == ["aaaaaaaa.jpg", "zzzzzzzz.jpg"]
    for seed in range(100):
        (tmp_path / name).write_bytes(first + mutated(middle, random.Random(seed)).rstrip(b"\n") + b"\n" + last)
        found = [item for item in read_source(tmp_path / name, format) if isinstance(item, Example)]
        assert [item for item in found if item.key in ("aaaaaaaa.jpg", "zzzzzzzz.jpg")] == wanted, f"seed {seed}"

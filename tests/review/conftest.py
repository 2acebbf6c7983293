"""A small workspace with phrases to review, and one with another confidence for every phrase."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # for helpers

from to_review import FIRST, KEYS, SECOND, phrase

from phrasebox.review import Review
from phrasebox.types import Box, Caption, Example, GroundedCaption, Phrase
from phrasebox.workspace.workspace import Workspace


@pytest.fixture
def ws(tmp_path) -> Workspace:
    """Three images, the last in another split, and a caption that gave nothing."""
    ws = Workspace.create(tmp_path / "ws")
    for n, key in enumerate(KEYS):
        file = tmp_path / "photos" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 20)).save(file)
        captions = (Caption(FIRST), Caption("nothing"), Caption(SECOND))
        ws.append_images([Example(key, file, captions, "val" if n == 2 else "train")], [(40, 20)])
    for n in (2, 0, 1):  # in another order than they were imported in
        decoded = (
            GroundedCaption(FIRST, (phrase(FIRST, 0, 5, 0.1 * n), phrase(FIRST, 13, 18, 0.5))),
            GroundedCaption("nothing"),
            GroundedCaption(SECOND, (phrase(SECOND, 4, 11, 0.25),)),
        )
        ws.append_phrases({KEYS[n]: decoded})
    return ws


@pytest.fixture
def review(ws) -> Review:
    return Review(ws)


@pytest.fixture
def sure(ws) -> Review:
    """Review of the workspace with another confidence for every phrase, 0.05 more from one to the next."""
    ws.drop("phrases")
    for n, key in enumerate(KEYS):
        values = iter((0.3 * n + 0.1, 0.3 * n + 0.15, 0.3 * n + 0.2))
        texts = ((FIRST, ((0, 5), (13, 18))), ("nothing", ()), (SECOND, ((4, 11),)))
        ws.append_phrases(
            {
                key: tuple(
                    GroundedCaption(
                        text, tuple(Phrase(text[a:b], (a, b), Box(0, 0, 20, 20), 0.5, next(values)) for a, b in spans)
                    )
                    for text, spans in texts
                )
            }
        )
    return Review(ws)

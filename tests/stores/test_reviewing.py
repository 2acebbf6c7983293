"""Phrases of a workspace in a store: they are read there, with what was decided, and not decided there."""

from __future__ import annotations

import fsspec
import numpy as np
import pytest
from PIL import Image

from phrasebox.errors import WorkspaceError
from phrasebox.review import Review
from phrasebox.types import Box, Caption, Example, GroundedCaption, Phrase
from phrasebox.web import Service
from phrasebox.workspace.workspace import Workspace

TEXT = "a dog beside a cat"


def filled(ws: Workspace, picture) -> Workspace:
    ws.append_images([Example("1.png", picture, (Caption(TEXT),))], [(40, 20)])
    found = [Phrase(TEXT[a:b], (a, b), Box(0, 0, 20, 20), 0.4, 0.3) for a, b in ((0, 5), (13, 18))]
    ws.append_phrases({"1.png": [GroundedCaption(TEXT, tuple(found))]})
    return ws


def test_read_there_and_decided_here(store, tmp_path):
    from phrasebox.io.paths import place

    Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(tmp_path / "1.png")
    here = filled(Workspace.create(tmp_path / "ws"), tmp_path / "1.png")
    Review(here).decide("1.png#0#0-5", "reject", "ann")
    files = fsspec.filesystem("s3")
    files.put_file(str(tmp_path / "1.png"), f"{store}/images/1.png")
    there = filled(Workspace.create(f"{store}/ws"), place(f"{store}/images/1.png"))
    assert len(next(there.grounded()).captions[0].phrases) == 2
    with pytest.raises(WorkspaceError, match="copy the workspace to this machine"):
        Review(there).decide("1.png#0#0-5", "accept", "ben")
    files.put_file(str(tmp_path / "ws" / "decisions.jsonl"), f"{store}/ws/decisions.jsonl")
    again = Workspace(f"{store}/ws")
    assert [p.text for p in next(again.grounded()).captions[0].phrases] == ["a cat"]
    assert Review(again).progress().rejected == 1
    service = Service(again)
    assert service.pictures.jpeg("1.png", 100)[:2] == b"\xff\xd8"
    assert service.results().tables == []
    service.close()

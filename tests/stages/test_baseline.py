"""The frozen-feature baseline is kept, and made anew when what it depends on changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from phrasebox.stages import evaluate as evaluating
from phrasebox.stages.baseline import fingerprint
from phrasebox.types import Caption, Example
from phrasebox.workspace.workspace import Workspace


@pytest.fixture
def loaded(monkeypatch):
    """The splits whose word vectors were made."""
    splits = []
    load = evaluating.load_pairs

    def noting(ws, model, split, *more):
        splits.append(split)
        return load(ws, model, split, *more)

    monkeypatch.setattr(evaluating, "load_pairs", noting)
    return splits


def test_it_is_fitted_once(at, call, model, loaded):
    command = ("evaluate", at("regions"), "--model", model, "--json")
    first = call(*command)
    assert loaded == ["val", "train"]
    assert call(*command).out == first.out
    assert loaded == ["val", "train", "val"]


@pytest.mark.parametrize("text", ["", "[]", "null", '{"made_of"', '{"made_of": "x"}'])
def test_a_damaged_file_is_written_anew(at, call, model, text):
    ws = at("regions")
    command = ("evaluate", ws, "--model", model, "--json")
    first, (file,) = call(*command), (ws / "results" / "baseline").iterdir()
    whole = file.read_text()
    file.write_text(text)
    assert call(*command).out == first.out
    assert file.read_text() == whole
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name]


def test_what_it_depends_on(at):
    ws = Workspace(at("regions"))
    before = fingerprint(ws, "val", "contextual", 9)
    assert Workspace(ws.path).keys("regions", "train")
    assert fingerprint(ws, "val", "static", 9) != before
    assert fingerprint(ws, "train", "contextual", 9) != before
    assert fingerprint(ws, "val", "contextual", 2) != before
    ws.optimize()
    ws.append_images([Example("t.png", Path("t.png"), (Caption("a dog"),), "test")], [(1, 1)])
    assert fingerprint(ws, "val", "contextual", 9) == before
    ws.append_images([Example("n.png", Path("n.png"), (Caption("a dog"),), "train")], [(1, 1)])
    told = fingerprint(ws, "val", "contextual", 9)
    assert told != before
    kept = [regions for batch in ws.regions() for regions in batch]
    vectors = kept[0].vectors.copy()
    vectors[-1, -1] += 1
    ws.drop("regions")
    ws.append_regions([replace(kept[0], vectors=vectors), *kept[1:]])
    assert fingerprint(ws, "val", "contextual", 9) != told

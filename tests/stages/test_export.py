"""The files that `phrasebox export` and `phrasebox gallery` write."""

from __future__ import annotations

import json

import pyarrow.parquet
import pytest

from phrasebox.types import Box, GroundedCaption, Phrase
from phrasebox.workspace.workspace import Workspace


def all_phrases(ws, split=None):
    return [p for image in Workspace(ws).grounded(split) for caption in image.captions for p in caption.phrases]


def written(file, format):
    """Phrases in an exported file."""
    if format == "odvg":
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        return [region["phrase"] for line in lines for region in line["grounding"]["regions"]]
    if format == "coco-grounding":
        return json.loads(file.read_text())["annotations"]
    return [p for objects in pyarrow.parquet.read_table(file)["objects"].to_pylist() for p in objects["phrase"]]


@pytest.mark.parametrize("format", ["odvg", "coco-grounding", "parquet"])
def test_all_phrases_and_a_second_time(format, at, call, tmp_path):
    ws, out = at("ground"), tmp_path / "new" / "out.file"
    done = call("export", ws, out, "--format", format, "--json")
    assert (done.code, done.err) == (0, "")
    phrases = all_phrases(ws)
    assert done.json == {"file": str(out), "captions": 10, "phrases": len(phrases), "dropped": 0}
    assert len(written(out, format)) == len(phrases) > 0
    before = out.read_bytes()
    assert call("export", ws, out, "--format", format).code == 0
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["out.file"]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (("--min-confidence", "0.04"), lambda p: p.confidence >= 0.04),
        (("--parts-only",), lambda p: not p.whole_image),
    ],
)
def test_what_is_left_out(options, kept, at, call, tmp_path):
    ws = at("ground")
    Workspace(ws).drop("phrases")
    (row,) = next(Workspace(ws).images(keys=["chelsea.png"]))
    phrases = (
        Phrase("A tabby cat", (0, 11), Box(0, 0, 50, 40), 0.5, 0.9),
        Phrase("green eyes", (17, 27), Box(0, 0, 50, 40), 0.5, 0.01),
        Phrase("the side", (37, 45), Box(0, 0, 120, 80), 0.5, 0.9, whole_image=True),
    )
    Workspace(ws).append_phrases({row.key: [GroundedCaption(row.captions[0], phrases)]})
    assert call("export", ws, tmp_path / "out.jsonl", "--format", "odvg", *options).code == 0
    assert written(tmp_path / "out.jsonl", "odvg") == [p.text for p in phrases if kept(p)] != []


def test_one_split(at, call, tmp_path):
    ws = at("ground")
    assert call("export", ws, tmp_path / "out.jsonl", "--format", "odvg", "--split", "val").code == 0
    assert len(written(tmp_path / "out.jsonl", "odvg")) == len(all_phrases(ws, "val"))
    refused = call("export", ws, tmp_path / "out.jsonl", "--format", "odvg", "--split", "test").reason
    assert "the split 'test' of" in refused


def a_folder(folder):
    return folder, "is a folder; give the name of a file"


def inside_a_file(folder):
    (folder / "file").touch()
    return folder / "file" / "deep" / "out.png", "file is a file, so"


@pytest.mark.parametrize("prepare", [a_folder, inside_a_file])
@pytest.mark.parametrize("command", ["export", "gallery", "point"])
def test_places_that_cannot_be_written(prepare, command, at, call, model, data, tmp_path):
    out, message = prepare(tmp_path)
    arguments = {
        "export": [at("ground"), out, "--format", "odvg"],
        "gallery": [tmp_path / "ws", out, "--model", model],
        "point": [data / "images" / "coffee.png", "A cup", "-o", out, "--model", model],
    }[command]
    assert message in call(command, *arguments).reason


def test_gallery_and_a_second_time(at, call, model, tmp_path):
    ws, out = at("regions"), tmp_path / "new" / "gallery.html"
    done = call("gallery", ws, out, "--model", model, "--images", "3", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json == {"file": str(out), "images": 3}
    page = out.read_text()
    assert page.count("<article") == 3
    assert "A tabby cat with" not in page.split("<article")[1]
    assert call("gallery", ws, out, "--model", model, "--images", "3").code == 0
    assert out.read_text() == page


def test_gallery_of_a_split(at, call, model, tmp_path):
    assert call("gallery", at("regions"), tmp_path / "g.html", "--model", model, "--split", "val").code == 0
    page = (tmp_path / "g.html").read_text()
    assert "rocket.jpg" in page
    assert "coffee.png" not in page

"""The files that `phrasebox export` and `phrasebox gallery` write."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow.parquet
import pytest
from PIL import Image

from phrasebox.formats import CAPTIONS_ONLY, WRITERS
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
    nothing = {"dropped": 0, "unclassed": 0, "empty": 0, "turned": 0, "left_out": []}
    assert done.json == {"file": str(out), "captions": 10, "phrases": len(phrases), **nothing}
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
    assert done.json == {"file": str(out), "images": 3, "left_out": []}
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


ALL = sorted(WRITERS)
SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")


@pytest.fixture
def own_pictures(photographs, karpathy, call, model, tmp_path):
    """A grounded workspace whose pictures the test may change: in ``tmp_path/data/images``."""
    ws = tmp_path / "own"
    assert call("import", karpathy(), ws, "--images", photographs).code == 0
    assert call("regions", ws, *SMALL, "--quiet").code == 0
    assert call("ground", ws, "--model", model, "--quiet").code == 0
    return ws


def test_pictures_that_are_gone_or_changed_are_left_out_and_named(own_pictures, photographs, call, model, tmp_path):
    gone, changed, other = (photographs / name for name in ("coffee.png", "rocket.jpg", "chelsea.png"))
    gone.unlink()
    with Image.open(changed) as picture:
        picture.resize((60, 90)).save(changed)
    with Image.open(other) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(other)  # the same size in pixels
    for format in ALL:
        out = tmp_path / f"out-{format}"
        done = call("export", own_pictures, out, "--format", format, "--json")
        assert done.code == 0, done.err
        named = {item["key"]: item["reason"] for item in done.json["left_out"]}
        assert named["coffee.png"].endswith("no such file")
        assert "rocket.jpg" in named
        assert "import SOURCE" in done.err
        assert "coffee.png" in done.err
        if format not in CAPTIONS_ONLY:
            assert "changed since its regions were made: 60 x 90 pixels" in named["rocket.jpg"]
            assert named["chelsea.png"].endswith("other content")
            assert f"phrasebox regions {own_pictures} --fresh" in done.err
    hub = call("export", own_pictures, "--hub-folder", tmp_path / "hub", "--model", model, "--json")
    assert {item["key"] for item in hub.json["left_out"]} == {"coffee.png", "rocket.jpg", "chelsea.png"}
    page = call("gallery", own_pictures, tmp_path / "g.html", "--model", model)
    assert page.code == 0, page.err
    assert all(name in page.err for name in ("coffee.png", "rocket.jpg", "chelsea.png", "--fresh"))
    assert (tmp_path / "g.html").read_text().count("<article") == 2

    told = call("doctor", own_pictures).out
    assert "1 image file missing" in told
    assert "2 pictures changed" in told
    assert "60 x 90 pixels" in told

    assert call("regions", own_pictures, *SMALL, "--fresh", "--quiet").code == 0
    assert call("ground", own_pictures, "--model", model, "--quiet").code == 0
    assert call("export", own_pictures, tmp_path / "again", "--format", "odvg", "--json").json["left_out"] == []
    lines = map(json.loads, (tmp_path / "again").read_text().splitlines())
    assert {(line["width"], line["height"]) for line in lines if line["filename"] == "rocket.jpg"} == {(60, 90)}


def test_a_copy_of_the_same_pictures_has_not_changed(own_pictures, photographs, call, tmp_path):
    for file in photographs.iterdir():
        data = file.read_bytes()
        file.unlink()
        file.write_bytes(data)
    done = call("export", own_pictures, tmp_path / "out", "--format", "odvg", "--json")
    assert (done.json["left_out"], done.err) == ([], "")


def test_no_picture_is_left(own_pictures, photographs, call, model, tmp_path):
    for file in photographs.iterdir():
        file.unlink()
    for command in (("export", "--format", "yolo"), ("export", "--format", "coco"), ("gallery", "--model", model)):
        refused = call(command[0], own_pictures, tmp_path / "out", *command[1:]).reason
        assert "all 5 images are left out" in refused
        assert "import SOURCE" in refused
        assert not (tmp_path / "out").exists()


def test_only_files_that_export_wrote_are_replaced(at, call, tmp_path):
    ws, out = at("ground"), tmp_path / "captions.csv"
    out.write_text("image,caption\n")
    assert "was not written by this workspace's export" in call("export", ws, out, "--format", "odvg").reason
    assert out.read_text() == "image,caption\n"
    assert call("export", ws, out, "--format", "odvg", "--force").code == 0
    assert call("export", ws, out, "--format", "odvg").code == 0
    out.write_text("mine again")
    assert "has changed since export wrote it" in call("export", ws, out, "--format", "odvg").reason
    assert out.read_text() == "mine again"


def test_classes(at, call, tmp_path):
    ws, table = at("ground"), tmp_path / "classes.txt"
    table.write_text("cat,animal\neye\n")
    options = "--format", "coco-detection"
    assert call("export", ws, tmp_path / "a.json", *options, "--classes", table).code == 0
    assert [one["name"] for one in json.loads((tmp_path / "a.json").read_text())["categories"]] == ["animal", "eye"]
    done = call("export", ws, tmp_path / "b.json", *options, "--min-count", "2", "--empty", "--json")
    file = json.loads((tmp_path / "b.json").read_text())
    counts = Counter(one["category_id"] for one in file["annotations"])
    assert min(counts.values()) > 1
    assert len(counts) == len(file["categories"])
    assert len(file["images"]) == 5
    assert done.json["unclassed"] > 0
    assert "has no classes" in call("export", ws, tmp_path / "c", "--format", "odvg", "--min-count", "2").reason


def test_turned_pictures_are_counted_where_they_are_only_named(own_pictures, photographs, call, model, tmp_path):
    with Image.open(photographs / "rocket.jpg") as picture:
        exif = picture.getexif()
        exif[0x0112] = 3
        picture.save(photographs / "rocket.jpg", exif=exif)
    assert call("regions", own_pictures, *SMALL, "--fresh", "--quiet").code == 0
    assert call("ground", own_pictures, "--model", model, "--quiet").code == 0
    counts = {
        format: call("export", own_pictures, tmp_path / format, "--format", format, "--json").json["turned"]
        for format in ("odvg", "fiftyone", "yolo", "imagefolder")
    }
    assert counts == {"odvg": 1, "fiftyone": 1, "yolo": 0, "imagefolder": 0}


@pytest.mark.parametrize("format", ["coco-detection", "yolo", "fiftyone"])
def test_classes_that_leave_out_all(format, at, call, tmp_path):
    ws = at("ground")
    count = len(all_phrases(ws))
    (tmp_path / "none.txt").write_text("zebra\n")
    done = call("export", ws, tmp_path / "out", "--format", format, "--classes", tmp_path / "none.txt")
    assert done.code == 0
    assert f"0 captions; omitted: {count} phrases of no class" in done.out

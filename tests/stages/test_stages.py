"""The way from captioned images to region-phrase pairs, and what a stage says when one before it is missing."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from phrasebox.aligner import Aligner
from phrasebox.workspace.workspace import Workspace

QUICK = ("--epochs", "2", "--batch", "2", "--dim", "16")
SMALL = ("--backbone", "efficientnet-lite0", "--size", "96")


def test_each_stage_by_itself_touches_nothing_else(photographs, karpathy, call, tree, tmp_path):
    source, ws, out = karpathy(), tmp_path / "ws", tmp_path / "out"
    before = tree(tmp_path)
    for command in (
        ["import", source, ws],
        ["regions", ws, *SMALL],
        ["align", ws, *QUICK],
        ["ground", ws],
        ["evaluate", ws],
        ["export", ws, out / "pairs.jsonl", "--format", "odvg"],
        ["gallery", ws, out / "gallery.html"],
        ["point", photographs / "coffee.png", "A cup", "-o", out / "cup.png", "--model", ws / "models" / "aligner"],
    ):
        done = call(*command, "--json")
        assert (done.code, done.err) == (0, "")
        assert done.json
    after = tree(tmp_path)
    assert {name: after[name] for name in before} == before
    new = {name for name in after if name not in before and not name.startswith("ws/")}
    assert new == {"out/pairs.jsonl", "out/gallery.html", "out/cup.png"}


@pytest.mark.usefixtures("small_preset")
def test_run_with_training_and_a_second_time(karpathy, call, tree, tmp_path):
    command = ["run", karpathy(), tmp_path / "ws", "--train", "--json"]
    first = call(*command)
    assert (first.code, first.err) == (0, "")
    assert first.json["pairs"] == Workspace(tmp_path / "ws").count("phrases") > 0
    assert [file.rsplit("/", 1)[1] for file in first.json["files"]] == [
        "gallery.html", "odvg.jsonl", "coco.json", "pairs.parquet"
    ]  # fmt: skip
    before = tree(tmp_path / "ws" / "out")
    assert set(before) == {"gallery.html", "odvg.jsonl", "coco.json", "pairs.parquet"}
    second = call(*command[:-1])
    assert "already there: 5 images" in second.out
    assert "5 images have regions, 0 of them new" in second.out
    assert "(0 new)" in second.out
    assert "0 of them new" in second.out
    assert tree(tmp_path / "ws" / "out") == before


@pytest.mark.usefixtures("small_preset")
def test_run_into_another_folder(at, karpathy, model, call, tmp_path):
    ws, source = at("imported"), karpathy()
    Aligner.load(model).save(ws / "models" / "aligner")
    assert call("run", source, ws, "--out", tmp_path / "out", "--quiet") == (0, "", "")
    assert sorted(file.name for file in (tmp_path / "out").iterdir())[-1] == "pairs.parquet"
    assert not (ws / "out").exists()


def test_run_refuses_a_bad_place_before_it_works(karpathy, call, tmp_path):
    source = karpathy()
    assert "is a file" in call("run", source, tmp_path / "ws", "--out", source).reason
    assert not (tmp_path / "ws").exists()


@pytest.mark.parametrize(
    ("command", "stage", "remedy"),
    [
        (["regions", "WS"], None, "import SOURCE"),
        (["align", "WS"], "imported", "regions"),
        (["ground", "WS", "--model", "MODEL"], "imported", "regions"),
        (["gallery", "WS", "g.html", "--model", "MODEL"], "imported", "regions"),
        (["export", "WS", "o.jsonl", "--format", "odvg"], "regions", "ground"),
    ],
)
def test_the_stage_that_is_missing_is_named(command, stage, remedy, at, call, model, tmp_path):
    ws = at(stage) if stage else Workspace.create(tmp_path / "ws").path
    places = {"WS": ws, "MODEL": model, "g.html": tmp_path / "g.html", "o.jsonl": tmp_path / "o.jsonl"}
    reason = call(*(places.get(part, part) for part in command)).reason
    assert f"{ws} " in reason
    assert f"run: phrasebox {remedy}" in reason


@pytest.mark.parametrize("command", ["import", "regions", "align", "ground", "evaluate"])
def test_two_writers_at_a_time(command, at, call, data, model):
    ws = at("regions")
    arguments = {
        "import": [data / "captions.json", ws],
        "ground": [ws, "--model", model],
        "evaluate": [ws, "--model", model],
    }.get(command, [ws])
    with Workspace(ws).lock():
        assert "another phrasebox command is writing" in call(command, *arguments, "--json").reason


class TestPoint:
    def test_picture_and_json(self, data, model, call, tmp_path):
        photo = data / "images" / "chelsea.png"
        done = call("point", photo, "A tabby cat", "-o", tmp_path / "new" / "out.JPG", "--model", model, "--json")
        assert (done.code, done.err) == (0, "")
        assert done.json["image"] == str(photo)
        assert [phrase["text"] for phrase in done.json["phrases"]]
        with Image.open(tmp_path / "new" / "out.JPG") as drawn, Image.open(photo) as original:
            assert drawn.format == "JPEG"
            assert drawn.width >= original.width
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.JPG"]

    def test_table(self, data, model, call):
        assert "chelsea.png" in call("point", data / "images" / "chelsea.png", "A tabby cat", "--model", model).out

    @pytest.mark.parametrize(
        ("picture", "sentence", "options", "message"),
        [
            ("coffee.png", "...", [], "has no words"),
            ("coffee.png", "A cup", ["-o", "out.pdf"], "out.pdf: the name must end in .png"),
            ("absent.png", "A cup", [], "absent.png: no such file"),
            ("coffee.png", "A cup", ["--beta", "-1"], "beta must be at least 0"),
        ],
    )
    def test_bad_input(self, picture, sentence, options, message, data, model, call):
        assert message in call("point", data / "images" / picture, sentence, "--model", model, *options).reason


@pytest.mark.usefixtures("small_preset")
def test_the_sample_runs(model, call, tmp_path):
    Aligner.load(model).save(Workspace.create(tmp_path / "demo").models / "aligner")
    done = call("demo", tmp_path / "demo", "--json")
    assert (done.code, done.err) == (0, "")
    assert {phrase["image"] for phrase in done.json["phrases"]} <= {
        image["filename"] for image in json.loads((tmp_path / "demo" / "sample.json").read_text())["images"]
    }
    assert "region-phrase pairs from 5 photographs" in call("demo", tmp_path / "demo").out
    # An older version made regions otherwise: what is of the sample is made anew, what is not is left alone.
    manifest = tmp_path / "demo" / "manifest.json"
    kept = json.loads(manifest.read_text())
    del kept["stages"]["regions"]["second"]
    manifest.write_text(json.dumps(kept))
    assert "region-phrase pairs from 5 photographs" in call("demo", tmp_path / "demo").out
    assert "second" in Workspace(tmp_path / "demo").stages["regions"]


@pytest.mark.usefixtures("small_preset")
def test_the_sample_takes_no_place_of_others(at, call):
    ws = at("regions")
    own = ws.parent / "more"
    own.mkdir()
    Image.new("RGB", (40, 30)).save(own / "mine.png")
    (own / "mine.txt").write_text("A black picture .")
    assert call("import", own, ws, "--quiet").code == 0
    kept = json.loads((ws / "manifest.json").read_text())
    kept["stages"]["regions"]["nms"] = 0.5
    (ws / "manifest.json").write_text(json.dumps(kept))
    assert "--fresh" in call("demo", ws).reason
    assert Workspace(ws).stages["regions"]["nms"] == 0.5

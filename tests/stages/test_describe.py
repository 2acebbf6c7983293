"""`phrasebox describe`: one picture, several, a folder, and what it refuses."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from phrasebox.captioner import Captioner, CaptionerModel, ModelSettings, SpeechSettings, Vocabulary
from phrasebox.io import sample
from phrasebox.regions.settings import RegionSettings

SETTINGS = RegionSettings(
    proposer="grid", density=27, regions=27, nms=1.0, rank="proposer", backbone="efficientnet-lite0", size=96
)


@pytest.fixture(scope="module")
def speaker(tmp_path_factory):
    """The folder of a captioner with random weights."""
    torch.manual_seed(0)
    vocabulary = Vocabulary.build([text for texts in sample.CAPTIONS.values() for text in texts], 1)
    model = CaptionerModel(ModelSettings(dim=16, embed=16), len(vocabulary)).eval()
    for parameter in model.parameters():
        parameter.data *= 3
    folder = tmp_path_factory.mktemp("speaker")
    Captioner(model, vocabulary, SETTINGS, SpeechSettings(beam=2, max_length=6)).save(folder)
    return folder


@pytest.fixture
def describe(call, speaker):
    """Run ``phrasebox describe`` with the small captioner."""
    return lambda *arguments: call("describe", *arguments, "--model", speaker)


def test_one_picture(describe, photographs):
    done = describe(photographs / "coffee.png", "--json", "--regions", "3")
    assert (done.code, done.err) == (0, "")
    assert done.json["caption"]
    assert 1 <= len(done.json["regions"]) <= 3
    printed = describe(photographs / "coffee.png").out
    assert "whole image" in printed
    assert (done.json["shown"], done.json["sure"]) == (done.json["caption"], True)
    assert done.json["caption"] in " ".join(printed.split())


@pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.html"])
def test_it_is_drawn(name, describe, photographs, tmp_path):
    out = tmp_path / name
    done = describe(photographs / "coffee.png", "-o", out, "--quiet")
    assert (done.code, done.out) == (0, "")
    if name.endswith(".html"):
        page = out.read_text()
        assert page.count("<article>") == 1
        assert 'src="data:image/jpeg;base64,' in page
    else:
        with Image.open(out) as picture:
            assert picture.width == 960


def test_own_boxes(describe, photographs):
    done = describe(photographs / "coffee.png", "--boxes", "0,0,50,40; 20,10,60,60", "--json")
    assert [region["box"] for region in done.json["regions"]] == [[0, 0, 50, 40], [20, 10, 60, 60]]


def test_drawing_words_takes_a_seed(describe, photographs):
    def say(seed):
        return describe(photographs / "coffee.png", "--top-p", "0.95", "--count", "3", "--seed", seed, "--json").out

    assert say(1) == say(1) != say(2)
    assert len(set(json.loads(say(1))["captions"])) == 3


def test_a_folder_is_gone_on_with(describe, photographs, tmp_path):
    (photographs / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "out.jsonl"
    first = describe(photographs, "-o", out, "--json")
    assert first.json["new"] == 5
    assert [item["image"] for item in first.json["skipped"]] == ["broken.png"]
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    assert {json.loads(line)["image"] for line in lines} == set(sample.CAPTIONS)
    out.write_bytes(b"".join(lines[:2]) + lines[2][:20])  # killed while it wrote the third
    again = describe(photographs, "-o", out, "--json")
    assert again.json["new"] == 3
    assert out.read_bytes() == whole
    page = describe(photographs, "-o", tmp_path / "out.html")
    assert page.code == 0
    assert (tmp_path / "out.html").read_text().count("<article>") == 5


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("absent.png",), "absent.png: no such file"),
        (("COFFEE", "--boxes", "0,0,9999,5"), "is not inside"),
        (("COFFEE", "--boxes", "1,2,3"), "box '1,2,3' is not x1,y1,x2,y2 in pixels"),
        (("COFFEE", "--boxes", " "), "--boxes is empty"),
        (("COFFEE", "--regions", "-1"), "ask for 0 or more"),
        (("COFFEE", "-o", "out.gif"), "the name must end in"),
        (("COFFEE", "COFFEE", "-o", "out.png"), "holds one image"),
        (("FOLDER",), "is a folder; name a file for its descriptions"),
        (("FOLDER", "--boxes", "0,0,5,5"), "--boxes are for one image"),
        (("COFFEE", "--beam", "0"), "beam must be at least 1"),
        (("COFFEE", "--method", "greedy", "--count", "2"), "greedy finds one sentence"),
        (("EMPTY", "-o", "out.jsonl"), "no image in it"),
        (("WORKSPACE", "-o", "out.jsonl"), "is a workspace; give the folder of its pictures"),
        (("FOLDER", "-o", "OTHER"), "is not a description; give another file"),
    ],
)
def test_what_it_refuses(arguments, reason, describe, photographs, stages, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    places = {"COFFEE": photographs / "coffee.png", "FOLDER": photographs, "EMPTY": "empty", "OTHER": "other.jsonl"}
    places["WORKSPACE"] = stages / "imported"
    assert reason in describe(*(places.get(a, a) for a in arguments)).reason


def test_without_a_built_in_model_the_remedy_is_named(call, photographs, monkeypatch, tmp_path):
    monkeypatch.setattr("phrasebox.captioner.Captioner.built_in", tmp_path / "absent")
    assert "train one with: phrasebox caption WS" in call("describe", photographs / "coffee.png").reason

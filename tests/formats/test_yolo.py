from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from phrasebox.formats import yolo
from phrasebox.formats._writing import Written
from phrasebox.types import Box, GroundedCaption, Phrase


def described(root):
    return yaml.safe_load((root / "data.yaml").read_text(encoding="utf-8"))


def boxes(root, listed, size):
    """What a trainer reads for a picture of a list: names and boxes in pixels, by swapping images for labels."""
    names, (width, height) = described(root)["names"], size
    path = "/labels/".join(str(root / listed).rsplit("/images/", 1)).rpartition(".")[0]
    found = []
    for line in Path(f"{path}.txt").read_text().splitlines():
        index, cx, cy, w, h = line.split()
        corners = [
            float(cx) - float(w) / 2,
            float(cy) - float(h) / 2,
            float(cx) + float(w) / 2,
            float(cy) + float(h) / 2,
        ]
        found.append((names[int(index)], [round(c * s, 1) for c, s in zip(corners, (width, height) * 2, strict=True)]))
    return found


def test_a_trainer_finds_pictures_labels_and_names(records, tmp_path):
    out = tmp_path / "out"
    assert yolo.write(out, records) == Written(captions=3, phrases=6, dropped=1)
    assert described(out) == {"train": "train.txt", "val": "val.txt", "names": {0: "dog", 1: "hunde", 2: "犬"}}
    (train,) = (out / "train.txt").read_text(encoding="utf-8").splitlines()
    (val,) = (out / "val.txt").read_text(encoding="utf-8").splitlines()
    assert (train, val) == ("./images/two dogs.png", "./images/día_犬 1.jpg")
    for record, listed in zip(records, (train, val), strict=True):
        assert (out / listed).read_bytes() == record.image.read_bytes()
    left, right, frame = [0.0, 1.0, 11.0, 20.0], [20.1, 0.0, 40.0, 30.0], [0.0, 0.0, 40.0, 30.0]
    assert boxes(out, train, (40, 30)) == [
        ("dog", left),
        ("dog", right),
        ("hunde", left),
        ("hunde", right),
        ("犬", frame),
    ]
    assert boxes(out, val, (10, 20)) == [("dog", [1.0, 2.0, 9.0, 19.0])]


def test_the_side_file_loses_nothing(records, tmp_path):
    yolo.write(tmp_path / "out", records)
    lines = [json.loads(line) for line in (tmp_path / "out" / "phrases.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["key"], line["split"], line["width"], line["height"]) for line in lines] == [
        ("two dogs.png", "train", 40, 30),
        ("two dogs.png", "train", 40, 30),
        ("día/犬 1.jpg", "val", 10, 20),
    ]
    for line in lines:
        assert (tmp_path / "out" / line["file_name"]).is_file()
        assert all(line["caption"][slice(*p["span"])] == p["phrase"] for p in line["phrases"])
    assert [len(line["phrases"]) for line in lines] == [5, 0, 1]
    assert lines[0]["phrases"][4] == {
        "phrase": "犬",
        "span": [33, 34],
        "box": [0, 0, 40, 30],
        "score": 0.5,
        "confidence": 0.25,
        "whole_image": True,
    }


def test_captions_that_agree_share_a_line(records, tmp_path):
    box = Box(1, 2, 9, 19)
    said = ("a dog", "A brown dog", "a cat")
    captions = tuple(GroundedCaption(text, (Phrase(text, (0, len(text)), box, 1, 1),)) for text in said)
    yolo.write(tmp_path / "out", [replace(records[1], captions=captions)])
    assert [name for name, _ in boxes(tmp_path / "out", "./images/día_犬 1.jpg", (10, 20))] == ["dog", "cat"]
    assert described(tmp_path / "out")["train"] == "val.txt"  # a trainer asks for both


@pytest.mark.parametrize("splits", [["train"], ["val"], ["test"], ["train", "test"]])
def test_splits_that_are_missing_are_named_after_another(splits, records, tmp_path):
    yolo.write(tmp_path / "out", [replace(records[1], key=f"{s}.jpg", split=s) for s in splits])
    data = described(tmp_path / "out")
    assert all((tmp_path / "out" / data[name]).is_file() for name in ("train", "val"))
    assert data["val"] == f"{splits[-1]}.txt"


def test_pictures_of_one_stem(records, tmp_path):
    yolo.write(tmp_path / "out", [replace(records[1], key=key) for key in ("1.jpg", "images/1.jpg", "1.png")])
    listed = (tmp_path / "out" / "val.txt").read_text().splitlines()
    assert listed == ["./images/1.jpg", "./images/images_1.jpg", "./images/1_2.png"]
    assert all(boxes(tmp_path / "out", name, (10, 20)) for name in listed)


def test_a_picture_that_is_gone(records, tmp_path):
    records[1].image.unlink()
    written = yolo.write(tmp_path / "out", records)
    (left_out,) = written.left_out
    assert (left_out.key, written.captions, written.phrases) == (records[1].key, 2, 5)
    assert "No such file" in left_out.reason
    assert [file.name for file in (tmp_path / "out" / "images").iterdir()] == ["two dogs.png"]
    assert described(tmp_path / "out")["val"] == "train.txt"

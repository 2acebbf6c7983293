from __future__ import annotations

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import karpathy


def image(filename: str, *raws: str, split: str = "train", **more) -> dict:
    return {"filename": filename, "split": split, "sentences": [{"raw": raw} for raw in raws], **more}


@pytest.mark.parametrize(
    ("split", "expected"), [("train", "train"), ("restval", "train"), ("val", "val"), ("test", "test")]
)
def test_splits(write_json, sort_out, split, expected):
    path = write_json({"images": [image("a.jpg", "a cat", split=split)]})
    assert sort_out(karpathy.read(path)).examples["a.jpg"].split == expected


def test_key_and_picture_carry_the_filepath(write_json, sort_out, tmp_path):
    path = write_json({"images": [image("ü 1.jpg", "a cat ", filepath="val2014")]})
    (tmp_path / "images").mkdir()
    example = sort_out(karpathy.read(path)).examples["val2014/ü 1.jpg"]
    assert example.image == tmp_path / "images" / "val2014" / "ü 1.jpg"
    assert example.captions[0].text == "a cat "  # as given: spans count from here
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = sort_out(karpathy.read(path, elsewhere)).examples["val2014/ü 1.jpg"]
    assert moved.image == elsewhere / "val2014" / "ü 1.jpg"


def test_bad_entries_are_reported_and_the_rest_is_read(write_json, sort_out):
    entries = [
        image("a.jpg", "a cat", "  ", "a dog"),
        image("../b.jpg", "leaves the folder"),
        image("/c.jpg", "absolute"),
        {"split": "train"},
        "no object",
        image("a.jpg", "listed twice"),
        image("d.jpg", split="holdout"),
        {"filename": "e.jpg", "split": "test", "sentences": [{"tokens": ["a"]}, 7, "text"]},
        {"filename": "f.jpg", "split": "train", "sentences": "text"},
        {"filename": "bare.jpg", "split": "train"},
    ]
    got = sort_out(karpathy.read(write_json({"images": entries})))
    assert list(got.examples) == ["a.jpg", "e.jpg", "bare.jpg"]
    assert [caption.text for caption in got.examples["a.jpg"].captions] == ["a cat", "a dog"]
    assert got.examples["bare.jpg"].captions == ()
    expected = {
        "a.jpg#1": "empty",
        "../b.jpg": "leaves its folder",
        "/c.jpg": "leaves its folder",
        "images[3]": "no filename",
        "images[4]": "no filename",
        "a.jpg": "listed twice",
        "d.jpg": "'holdout'",
        "e.jpg#0": "no raw text",
        "e.jpg#1": "no raw text",
        "f.jpg": "not a list",
    }
    assert list(got.skipped) == list(expected)
    assert all(part in got.skipped[key] for key, part in expected.items())


def test_malformed_json_names_the_place(write_json):
    with pytest.raises(DataError, match=r"dataset_tiny\.json: not valid JSON at line 2, column 1"):
        list(karpathy.read(write_json('{"images": [\n')))


def test_a_folder_is_read_through_its_one_file(write_json, sort_out, tmp_path):
    write_json({"images": [image("a.jpg", "a cat")]}, "dataset_flickr8k.json")
    write_json({"default": {"features": {}}}, "dataset_infos.json")  # of another format
    assert karpathy.recognises(tmp_path)
    assert list(sort_out(karpathy.read(tmp_path)).examples) == ["a.jpg"]
    write_json({"images": [image("b.jpg", "a dog")]}, "dataset_coco.json")
    with pytest.raises(DataError, match=r"dataset_coco\.json, dataset_flickr8k\.json; give the file"):
        list(karpathy.read(tmp_path))

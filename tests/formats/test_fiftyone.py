from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from phrasebox.formats import fiftyone
from phrasebox.formats._writing import Written


def test_labels_and_where_the_pictures_are(records, tmp_path):
    assert fiftyone.write(tmp_path / "out", records) == Written(captions=3, phrases=6, dropped=1)
    labels = json.loads((tmp_path / "out" / "labels.json").read_text(encoding="utf-8"))
    data = json.loads((tmp_path / "out" / "data.json").read_text(encoding="utf-8"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["data.json", "labels.json"]
    assert labels["classes"] == ["dog", "hunde", "犬"]
    assert list(labels["labels"]) == list(data) == ["two dogs", "día/犬 1"]
    assert all(Path(path).is_file() for path in data.values())
    named = [(labels["classes"][one["label"]], one["attributes"]["phrase"]) for one in labels["labels"]["two dogs"]]
    assert named == [("dog", "a dog"), ("dog", "a dog"), ("hunde", "zwei Hunde"), ("hunde", "zwei Hunde"), ("犬", "犬")]
    (only,) = labels["labels"]["día/犬 1"]
    assert only == {
        "label": 0,
        "bounding_box": [0.1, 0.1, 0.8, 0.85],
        "confidence": 0.25,
        "attributes": {
            "phrase": "a dog",
            "caption": "a dog",
            "start": 0,
            "end": 5,
            "score": 0.5,
            "whole_image": False,
        },
    }


def test_pictures_of_one_stem_keep_their_labels_apart(records, tmp_path):
    keys = ["1.jpg", "1.png", "1.JPG"]
    fiftyone.write(tmp_path / "out", [replace(records[1], key=key, image=Path("/p") / key) for key in keys])
    data = json.loads((tmp_path / "out" / "data.json").read_text(encoding="utf-8"))
    assert data == {"1": "/p/1.jpg", "1_2": "/p/1.png", "1_3": "/p/1.JPG"}


def test_nothing_to_write_is_still_json(tmp_path):
    fiftyone.write(tmp_path / "out", [])
    assert json.loads((tmp_path / "out" / "labels.json").read_text()) == {"labels": {}, "classes": []}
    assert json.loads((tmp_path / "out" / "data.json").read_text()) == {}

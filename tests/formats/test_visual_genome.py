from __future__ import annotations

import json
from dataclasses import replace

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import detect, visual_genome
from phrasebox.formats._writing import Written
from phrasebox.types import Box


def region(phrase: object, x: object = 1, y: int = 2, width: int = 3, height: int = 4) -> dict:
    return {"region_id": 5, "image_id": 1, "phrase": phrase, "x": x, "y": y, "width": width, "height": height}


def test_every_phrase_is_a_caption_about_its_box(write_json, sort_out, tmp_path):
    (tmp_path / "VG_100K_2").mkdir()
    (tmp_path / "VG_100K_2" / "2.jpg").touch()
    entries = [
        {"id": 1, "regions": [region("the clock is green "), region("the clock is green ", 9), region("")]},
        {"id": 2, "regions": [region("犬", "x"), region(None), "no object"]},
        {"id": 1, "regions": []},
        {"regions": []},
        {"id": 3},
    ]
    path = write_json(entries, "region_descriptions.json")
    assert detect(path) == detect(tmp_path) == "visual-genome"
    got = sort_out(visual_genome.read(path))
    assert list(got.examples) == ["1.jpg", "VG_100K_2/2.jpg", "3.jpg"]
    first, second = got.examples["1.jpg"].captions
    assert first.text == second.text == "the clock is green "
    assert (first.phrases[0].span, first.phrases[0].boxes) == ((0, 18), (Box(1, 2, 4, 6),))
    assert second.phrases[0].boxes == (Box(9, 2, 12, 6),)
    assert got.examples["VG_100K_2/2.jpg"].captions[0].phrases[0].boxes == ()
    assert set(got.skipped) == {
        "1.jpg#2",
        "VG_100K_2/2.jpg#0",
        "VG_100K_2/2.jpg#1",
        "1.jpg",
        "region_descriptions.json: entry 3",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "expected a JSON array"),
        ("", "expected a JSON array"),
        ('[{"id": 1,\n}]', "line 2, column 1"),
        ("[1] x", "extra data"),
    ],
)
def test_other_files(write_json, text, reason):
    with pytest.raises(DataError, match=reason):
        list(visual_genome.read(write_json(text)))


def test_regions(records, tmp_path):
    assert visual_genome.write(tmp_path / "regions.json", records) == Written(captions=3, phrases=6, dropped=1)
    first, second = json.loads((tmp_path / "regions.json").read_text(encoding="utf-8"))
    assert (first["file_name"], first["width"], first["height"]) == ("two dogs.png", 40, 30)
    assert [(r["phrase"], r["x"], r["y"], r["width"], r["height"]) for r in first["regions"]] == [
        ("a dog", 0, 1, 11, 19),
        ("a dog", 20.12, 0, 19.88, 30),
        ("zwei Hunde", 0, 1, 11, 19),
        ("zwei Hunde", 20.12, 0, 19.88, 30),
        ("犬", 0, 0, 40, 30),
    ]
    regions = first["regions"] + second["regions"]
    assert len({region["region_id"] for region in regions}) == 6
    assert {region["image_id"] for region in first["regions"]} == {first["id"]} != {second["id"]}


def test_ids_of_visual_genome_stay_and_no_two_images_share_one(records, tmp_path):
    names = ["2407890.jpg", "1.jpg", "01.jpg", "1.png", "a/1.jpg", "²3.jpg", "999999999999.jpg"]
    visual_genome.write(tmp_path / "regions.json", [replace(records[1], key=name) for name in names])
    ids = [image["id"] for image in json.loads((tmp_path / "regions.json").read_text(encoding="utf-8"))]
    assert ids[:2] == [2407890, 1]
    assert len(set(ids)) == len(names)
    assert min(ids[2:]) >= 1_000_000_000

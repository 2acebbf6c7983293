from __future__ import annotations

import json
from dataclasses import replace

from phrasebox.formats import visual_genome
from phrasebox.formats.writing import Written


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

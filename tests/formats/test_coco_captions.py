from __future__ import annotations

import json

from pycocotools.coco import COCO

from phrasebox.formats import coco_captions, coco_results
from phrasebox.formats._writing import Written

TWICE = "a dog beside a dog, zwei Hunde – 犬"


def test_pycocotools_reads_captions_and_scores_results_against_them(records, tmp_path):
    assert coco_captions.write(tmp_path / "captions.json", records) == Written(captions=3)
    assert coco_results.write(tmp_path / "results.json", records) == Written(captions=3)
    coco = COCO(str(tmp_path / "captions.json"))
    images = coco.loadImgs(coco.getImgIds())
    assert [(image["id"], image["file_name"], image["width"], image["height"]) for image in images] == [
        (1, "two dogs.png", 40, 30),
        (2, "día/犬 1.jpg", 10, 20),
    ]
    said = {
        image["id"]: [a["caption"] for a in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))] for image in images
    }
    assert said == {1: [TWICE, "nothing found here"], 2: ["a dog"]}
    assert len(coco.anns) == 3
    results = coco.loadRes(str(tmp_path / "results.json"))
    assert [results.imgToAnns[image_id][0]["caption"] for image_id in (1, 2)] == [TWICE, "a dog"]


def test_results_are_nothing_but_ids_and_captions(records, tmp_path):
    coco_results.write(tmp_path / "results.json", records)
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8")) == [
        {"image_id": 1, "caption": TWICE},
        {"image_id": 1, "caption": "nothing found here"},
        {"image_id": 2, "caption": "a dog"},
    ]


def test_nothing_to_write_is_still_json(tmp_path):
    for module in (coco_captions, coco_results):
        assert module.write(tmp_path / "out.json", []) == Written()
        json.loads((tmp_path / "out.json").read_text())

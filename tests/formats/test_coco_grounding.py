from __future__ import annotations

import json

from pycocotools.coco import COCO

from phrasebox.formats import coco_grounding
from phrasebox.formats._writing import Written


def test_pycocotools_reads_what_is_written(records, tmp_path):
    path = tmp_path / "out" / "coco.json"
    assert coco_grounding.write(path, records) == Written(captions=3, phrases=6, dropped=1)
    coco = COCO(str(path))
    images = coco.loadImgs(coco.getImgIds())
    assert [(image["file_name"], image["width"], image["height"]) for image in images] == [
        ("two dogs.png", 40, 30),
        ("two dogs.png", 40, 30),
        ("día/犬 1.jpg", 10, 20),
    ]
    assert [len(coco.getAnnIds(imgIds=[image["id"]])) for image in images] == [5, 0, 1]
    assert coco.loadCats(coco.getCatIds()) == [{"id": 1, "name": "phrase"}]


def test_spans_and_boxes(records, tmp_path):
    path = tmp_path / "coco.json"
    coco_grounding.write(path, records)
    data = json.loads(path.read_text(encoding="utf-8"))
    captions = {image["id"]: image["caption"] for image in data["images"]}
    assert len(captions) == 3
    assert len({annotation["id"] for annotation in data["annotations"]}) == 6
    got = []
    for annotation in data["annotations"]:
        ((start, end),) = annotation["tokens_positive"]
        got.append((captions[annotation["image_id"]][start:end], start, annotation["bbox"], annotation["area"]))
        assert (annotation["iscrowd"], annotation["category_id"]) == (0, 1)
    left, right = [0.0, 1.0, 11.0, 19.0], [20.12, 0.0, 19.88, 30.0]
    assert got == [
        ("a dog", 0, left, 209.0),
        ("a dog", 13, right, 596.4),
        ("zwei Hunde", 20, left, 209.0),
        ("zwei Hunde", 20, right, 596.4),
        ("犬", 33, [0.0, 0.0, 40.0, 30.0], 1200.0),
        ("a dog", 0, [1.0, 2.0, 8.0, 17.0], 136.0),
    ]
    assert "犬" in path.read_text(encoding="utf-8")


def test_nothing_to_write_is_still_a_data_set(tmp_path):
    assert coco_grounding.write(tmp_path / "coco.json", []) == Written()
    assert json.loads((tmp_path / "coco.json").read_text())["images"] == []


def test_only_the_file_stays(records, tmp_path):
    path = tmp_path / "out" / "coco.json"
    coco_grounding.write(path, records)
    assert [file.name for file in path.parent.iterdir()] == ["coco.json"]

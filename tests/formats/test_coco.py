from __future__ import annotations

import json

import pytest
from pycocotools.coco import COCO

from phrasebox.errors import DataError
from phrasebox.formats import coco, coco_detection, detect
from phrasebox.formats._writing import Written
from phrasebox.types import Box


def test_captions_and_boxes_wherever_they_stand(write_json, sort_out, tmp_path):
    (tmp_path / "images").mkdir()
    data = {
        "info": {"year": 2017},
        "annotations": [
            {"id": 1, "image_id": 7, "caption": "ein Hund 犬 "},
            {"id": 2, "image_id": 8, "bbox": [1, 2, 3, 4], "category_id": 1},
            {"id": 3, "image_id": 7, "caption": "a dog"},
            {"id": 4, "image_id": 8, "bbox": [0, 0, 10.5, 5], "iscrowd": 0, "caption": " the sky"},
            {"id": 5, "image_id": 99, "caption": "of nothing"},
            {"id": 6, "image_id": 8, "bbox": [0, 0, 0, 5]},
            {"id": 7, "caption": "no image"},
            {"id": 8, "image_id": 7, "caption": None},
            "no object",
        ],
        "licenses": [],
        "images": [
            {"id": 7, "file_name": "a ü.jpg", "width": 40, "height": 30},
            {"id": 8, "file_name": "sub/b.jpg", "width": 20, "height": 10},
            {"id": 9, "file_name": "../c.jpg"},
            {"id": 10},
            {"id": 11, "file_name": "twice.jpg"},
            {"id": 11, "file_name": "twice more.jpg"},
            {"id": 12, "file_name": "bare.jpg", "width": 10**400, "height": 1},
        ],
    }
    path = write_json(data, "captions_val2017.json")
    assert detect(path) == detect(tmp_path) == "coco"
    got = sort_out(coco.read(path))
    assert list(got.examples) == ["a ü.jpg", "sub/b.jpg", "bare.jpg"]
    first, second, bare = got.examples.values()
    assert [caption.text for caption in first.captions] == ["ein Hund 犬 ", "a dog"]
    assert (first.image, first.split, first.size) == (tmp_path / "images" / "a ü.jpg", "val", (40, 30))
    assert second.boxes == (Box(1, 2, 4, 6), Box(0, 0, 10.5, 5))
    (phrase,) = second.captions[0].phrases
    assert (phrase.text, phrase.span, phrase.boxes) == ("the sky", (1, 8), (Box(0, 0, 10.5, 5),))
    assert (bare.captions, bare.boxes, bare.size) == ((), (), None)
    expected = {
        "captions_val2017.json: entry 6, in annotations": "no image_id",
        "captions_val2017.json: entry 8, in annotations": "no image_id",
        "image 10": "no file_name",
        "image_id 99": "no image has this id; 1 annotations",
        "image_id 11": "2 images have this id",
        "a ü.jpg#2": "not text",
        "sub/b.jpg": "x1 < x2",
        "../c.jpg": "leaves its folder",
    }
    assert got.skipped.keys() == expected.keys()
    assert all(part in got.skipped[key] for key, part in expected.items())


@pytest.mark.parametrize("folders", [("", ""), ("train2017/", "val2017/")], ids=["one folder", "folders of COCO"])
def test_images_named_by_their_address_alone(write_json, sort_out, tmp_path, folders):
    train, val = (folder + name for folder, name in zip(folders, ("000000000001.jpg", "000000000002.jpg"), strict=True))
    for name in (train, val):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).touch()
    data = {
        "images": [
            {"id": 1, "coco_url": "http://images.cocodataset.org/train2017/000000000001.jpg", "flickr_url": "x/y.jpg"},
            {"id": 2, "file_name": None, "flickr_url": "http://images.cocodataset.org/val2017/000000000002.jpg?size=z"},
            {"id": 3, "coco_url": "http://images.cocodataset.org/"},
            {"id": 4, "coco_url": "http://images.cocodataset.org/val2017/000000000004.jpg"},
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": ["no name"]}],
        "annotations": [{"id": n, "image_id": n, "bbox": [n, 2, 3, 4], "category_id": 1} for n in (1, 2)],
    }
    file = write_json(data, "lvis_v1_val.json")
    assert detect(file) == "coco"
    got = sort_out(coco.read(file, images=tmp_path / "photos"))
    assert list(got.examples) == [train, val, "000000000004.jpg"]
    assert [example.boxes for example in got.examples.values()] == [(Box(1, 2, 4, 6),), (Box(2, 2, 5, 6),), ()]
    assert [bool(example.sought) for example in got.examples.values()] == [False, False, True]
    assert got.skipped == {"image 3": "it has no file_name"}
    assert list(coco_detection.read_boxes(file, {train, val}).images) == [train, val]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"images": [{"file_name": "a.jpg", "id": 1}]}', "no array 'annotations'"),
        ('{"images": [{"file_name": "a.jpg",\n "id" 1}], "annotations": []}', "line 2, column 7"),
        ('{"images": [{"file_name": "a.jpg", "id": 1' + "0" * 5000 + '}], "annotations": []}', "line 1"),
        ('{"images": [' + '{"file_name":' * 100_000, "nested too deeply"),
    ],
)
def test_files_that_cannot_be_read(write_json, text, reason):
    with pytest.raises(DataError, match=reason):
        list(coco.read(write_json(text, "c.json")))


def test_boxes_with_category_names(write_json):
    data = {
        "annotations": [
            {"id": 1, "image_id": 7, "bbox": [1, 2, 3, 4], "category_id": 18, "iscrowd": 0},
            {"id": 2, "image_id": 7, "bbox": [0, 0, 9, 9], "category_id": 18, "iscrowd": 1},
            {"id": 3, "image_id": 7, "bbox": [0, 0, 5, 5], "category_id": 1},
            {"id": 4, "image_id": 8, "bbox": [0, 0, 5, 5], "category_id": 1},  # not wanted
            {"id": 5, "image_id": 7, "bbox": [0, 0, 0, 5], "category_id": 1},
            {"id": 6, "image_id": 7, "category_id": 1},
            {"id": 7, "image_id": 7, "bbox": [0, 0, 5, 5], "category_id": 99},
            {"id": 8, "image_id": 99, "bbox": [0, 0, 5, 5], "category_id": 1},
            "no object",
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}, {"id": 19}, "no object"],
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 40, "height": 30},
            {"id": 8, "file_name": "b.jpg", "width": 40, "height": 30},
            {"id": 9, "file_name": "c.jpg", "width": "wide", "height": 30},
            {"id": 10},
        ],
    }
    found = coco_detection.read_boxes(write_json(data, "instances.json"), {"a.jpg", "c.jpg", "d.jpg"})
    assert found.categories == ("person", "dog")
    assert list(found.images) == ["a.jpg", "c.jpg"]
    assert found.images["a.jpg"].size == (40, 30)
    assert found.images["a.jpg"].boxes == {"dog": [Box(1, 2, 4, 6), Box(0, 0, 9, 9)], "person": [Box(0, 0, 5, 5)]}
    assert (found.images["c.jpg"].size, found.images["c.jpg"].boxes) == (None, {})
    assert found.left_out == 5


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ([{"id": 1, "file_name": "val2017/a.jpg"}], "first file_name is 'val2017/a.jpg', 'a.jpg' is one of the"),
        ([], "has no file_name"),
    ],
)
def test_boxes_of_other_images(write_json, images, reason):
    file = write_json({"images": images, "annotations": [], "categories": []}, "instances.json")
    with pytest.raises(DataError, match=reason):
        coco_detection.read_boxes(file, {"a.jpg"})


def test_captions_are_no_boxes(write_json):
    file = write_json({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}, "captions.json")
    with pytest.raises(DataError, match="no array 'categories'"):
        coco_detection.read_boxes(file, {"a.jpg"})


def test_pycocotools_reads_the_detections(records, tmp_path):
    path = tmp_path / "out" / "coco.json"
    assert coco_detection.write(path, records) == Written(captions=3, phrases=6, dropped=1)
    read = COCO(str(path))
    names = {one["id"]: one["name"] for one in read.loadCats(read.getCatIds())}
    assert names == {1: "dog", 2: "hunde", 3: "犬"}
    assert [image["file_name"] for image in read.loadImgs(read.getImgIds())] == ["two dogs.png", "día/犬 1.jpg"]
    assert [len(read.getAnnIds(imgIds=[image])) for image in read.getImgIds()] == [5, 1]
    annotations = read.loadAnns(read.getAnnIds())
    assert [names[one["category_id"]] for one in annotations] == ["dog", "dog", "hunde", "hunde", "犬", "dog"]
    assert [one["phrase"] for one in annotations] == ["a dog", "a dog", "zwei Hunde", "zwei Hunde", "犬", "a dog"]
    assert annotations[0]["bbox"] == [0.0, 1.0, 11.0, 19.0]
    assert annotations[0]["area"] == 209.0
    assert [file.name for file in path.parent.iterdir()] == ["coco.json"]


def test_detections_of_nothing(tmp_path):
    assert coco_detection.write(tmp_path / "coco.json", []) == Written()
    assert json.loads((tmp_path / "coco.json").read_text()) == {"images": [], "annotations": [], "categories": []}

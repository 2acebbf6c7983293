"""The numbers of an import add up, and nothing vanishes without a word."""

from __future__ import annotations

import io
import json
import shutil
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from phrasebox.workspace.workspace import Workspace

COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 6}],
    "annotations": [{"id": 1, "image_id": 1.0, "caption": "A ball"}],
}
BOXES = COCO | {"annotations": [{"id": 1, "image_id": 1, "bbox": [1, 1, 4, 4], "category_id": 1}]}


def fill(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            Image.new("RGB", (8, 6), "red").save(root / name, {".jfif": "JPEG"}.get(name[-5:]))
        elif isinstance(content, bytes):
            (root / name).write_bytes(content)
        else:
            (root / name).write_text(content if isinstance(content, str) else json.dumps(content))


def checked(found):
    """The numbers, of which it is checked that they add up."""
    units = sum(one["count"] for one in found["left_out"] if one["kind"] in ("picture", "file"))
    assert found["seen"] == found["images"] + found["present"] + units
    assert found["skipped"] == sum(one["count"] for one in found["left_out"])
    assert all(one["reason"] for one in found["left_out"])
    return found


@pytest.fixture
def take(call, tmp_path):
    """Import a source into one workspace, and check the numbers."""

    def take(source, *options, ws="ws"):
        done = call("import", tmp_path / source, tmp_path / ws, *options, "--json")
        assert done.code == 0, done.err
        return checked(done.json), done.err

    return take


def captions(tmp_path, ws="ws"):
    return {row.key: row.captions for batch in Workspace(tmp_path / ws).images() for row in batch}


SIDECARS = {
    "a.txt with a caption": ({"a.jpg": None, "a.txt": "A ball\nA red ball"}, 2, 0),
    "upper case": ({"A.JPG": None, "A.TXT": "A ball"}, 1, 0),
    "caption of kohya": ({"a.jpg": None, "a.caption": "A ball"}, 1, 0),
    "the whole name": ({"a.jpg": None, "a.jpg.txt": "A ball"}, 1, 0),
    "json of img2dataset": ({"0/a.jpg": None, "0/a.json": {"caption": "A ball", "key": "a"}}, 1, 0),
    "txt and json": ({"0/a.jpg": None, "0/a.txt": "A ball", "0/a.json": {"caption": "x"}, "0_stats.json": {}}, 1, 1),
    "cp1252": ({"a.jpg": None, "a.txt": "Ein Bär".encode("cp1252")}, 1, 0),
    "YOLO": ({"a.jpg": None, "a.txt": "0 0.5 0.5 0.2 0.1\n1 0.1 0.1 0.1 0.1"}, 0, 1),
    "a class": ({"a.jpg": None, "a.txt": "7"}, 0, 1),
    "boxes with names": ({"a.jpg": None, "a.txt": "dog 0.9 10 20 30 40"}, 0, 1),
    "KITTI": ({"a.jpg": None, "a.txt": "Car 0.00 0 -1.58 587.0 173.3 614.1 200.1 1.65 1.67 3.64"}, 0, 1),
    "boxes and a caption": ({"a.jpg": None, "a.txt": "A ball\n0 0.5 0.5 0.2 0.1"}, 1, 1),
    "numbers in a caption": ({"a.jpg": None, "a.txt": "2 dogs and 4 cats at 5"}, 1, 0),
    "other suffixes": (
        {"a.jpg": None, "b.avif": None, "c.jfif": None, "d.jp2": None, "e.tga": None, "f.ppm": None},
        0,
        0,
    ),
    "heic and jxl": ({"a.jpg": None, "b.heic": "x", "b.txt": "A box", "c.jxl": "x"}, 0, 3),
    "labelme": ({"a.jpg": None, "a.json": {"shapes": []}}, 0, 1),
    "VOC, YAML, lists": ({"a.jpg": None, "a.xml": "<a/>", "data.yaml": "x", "train.txt": "a.jpg", "README": "x"}, 0, 4),
    "a table that names others": ({"a.jpg": None, "notes.csv": "x,y\n1,2\n"}, 0, 1),
    "damaged": ({"a.jpg": None, "b.jpg": b"", "c.png": b"no picture"}, 0, 2),
}


@pytest.mark.parametrize(("files", "expected", "left_out"), SIDECARS.values(), ids=SIDECARS)
def test_folders_of_pictures(tmp_path, take, files, expected, left_out):
    fill(tmp_path / "photos", files)
    found, told = take("photos")
    assert (found["captions"], found["skipped"]) == (expected, left_out)
    assert found["images"] == sum(content is None for content in files.values())
    assert bool(told) == bool(left_out or found["remarks"])


LAYOUTS = {
    "COCO": (
        {"annotations/captions_val2017.json": COCO, "annotations/instances_val2017.json": BOXES, "val2017/a.jpg": None},
        "val2017/a.jpg",
        "val",
    ),
    "COCO, images/val2017": (
        {"annotations/captions_val2017.json": COCO, "images/val2017/a.jpg": None},
        "images/val2017/a.jpg",
        "val",
    ),
    "COCO, two splits": (
        {
            "annotations/captions_train2017.json": COCO,
            "annotations/captions_val2017.json": COCO,
            "train2017/a.jpg": None,
            "val2017/a.jpg": None,
        },
        "val2017/a.jpg",
        "val",
    ),
    "Roboflow": ({"valid/_annotations.coco.json": BOXES, "valid/a.jpg": None}, "valid/a.jpg", "val"),
    "Roboflow, two splits": (
        {
            "train/_annotations.coco.json": BOXES,
            "test/_annotations.coco.json": BOXES,
            "train/a.jpg": None,
            "test/a.jpg": None,
            "README.txt": "x",
        },
        "test/a.jpg",
        "test",
    ),
    "imagefolder, csv": (
        {"train/metadata.csv": "file_name,text\na.jpg,A ball\n", "train/a.jpg": None},
        "train/a.jpg",
        "train",
    ),
    "imagefolder, jsonl": (
        {"data/test/metadata.jsonl": '{"file_name": "a.jpg", "text": "A ball"}', "data/test/a.jpg": None},
        "data/test/a.jpg",
        "train",
    ),
    "a table": ({"captions.csv": "image,caption\na.jpg,A ball\n", "images/a.jpg": None}, "a.jpg", "train"),
    "BLIP": ({"blip.json": [{"image": "images/a.jpg", "caption": "A ball"}], "images/a.jpg": None}, "a.jpg", "train"),
}


@pytest.mark.parametrize(("files", "key", "split"), LAYOUTS.values(), ids=LAYOUTS)
def test_folders_that_hold_a_data_set(tmp_path, take, files, key, split):
    fill(tmp_path / "data", files | {"extra/unnamed.jpg": None})
    found, told = take("data")
    assert found["images"] == sum(content is None for content in files.values())
    assert found["captions"] + found["own"] >= found["images"]
    rows = {row.key: row.split for batch in Workspace(tmp_path / "ws").images() for row in batch}
    assert rows[key] == split
    assert [one["first"] for one in found["left_out"]] == ["extra/unnamed.jpg"]
    if "annotations/instances_val2017.json" in files:
        assert "instances_val2017.json" in told


def test_parquet_of_img2dataset_and_pictures_in_it(tmp_path, take):
    data = io.BytesIO()
    Image.new("RGB", (8, 6)).save(data, "PNG")
    (tmp_path / "in").mkdir()
    pq.write_table(
        pa.table({"key": ["0"], "caption": ["A ball"], "jpg": [data.getvalue()]}), tmp_path / "in" / "0.parquet"
    )
    found, _ = take("in")
    assert (found["images"], found["captions"]) == (1, 1)


def tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def no_caption(tmp_path):
    picture = io.BytesIO()
    Image.new("RGB", (8, 6)).save(picture, "JPEG")
    fill(
        tmp_path,
        {
            "a.jpg": None,
            "imagefolder/a.jpg": None,
            "imagefolder/metadata.jsonl": '{"file_name": "a.jpg", "prompt": "A ball"}',
            "lines.jsonl": '{"image": "a.jpg", "prompt": "A ball"}',
            "table.csv": "image,prompt\na.jpg,A ball\n",
        },
    )
    pq.write_table(pa.table({"image": ["a.jpg"], "prompt": ["A ball"]}), tmp_path / "a.parquet")
    tar(tmp_path / "a.tar", {"a.jpg": picture.getvalue(), "a.json": b'{"prompt": "A ball"}'})
    return {
        "imagefolder": "file_name,prompt",
        "lines.jsonl": "image,prompt",
        "table.csv": "image,prompt",
        "a.parquet": "image,prompt",
        "a.tar": "prompt",
    }


def test_a_missing_caption_column_lists_the_columns_and_can_be_named(tmp_path, take, call):
    for source, columns in no_caption(tmp_path).items():
        refused = call("import", tmp_path / source, tmp_path / "ws", "--json")
        assert "prompt" in refused.reason
        assert "--columns" in refused.reason
        assert len(refused.reason) < 500
        found, _ = take(source, "--columns", columns, ws=f"ws-{source}")
        assert (found["images"], found["captions"]) == (1, 1)


def test_pictures_first_captions_later_and_once_more(tmp_path, take):
    fill(
        tmp_path,
        {
            "photos/a.jpg": None,
            "photos/b.jpg": None,
            "one.csv": "image,caption\na.jpg,A ball\nb.jpg,A box\n",
            "more.csv": "image,caption\nphotos/a.jpg,A ball\nphotos/a.jpg,A red ball\nphotos/A.JPG,Round\n",
        },
    )
    assert take("photos")[0]["images"] == 2
    found, _ = take("one.csv", "--images", tmp_path / "photos")
    assert (found["images"], found["captions"], found["added"], found["present"]) == (0, 2, 2, 2)
    found, _ = take("more.csv")  # found beside the table, so under other names: the same files
    assert (found["images"], found["added"], found["captions_present"], found["present"]) == (0, 2, 1, 1)
    assert captions(tmp_path) == {"a.jpg": ("A ball", "A red ball", "Round"), "b.jpg": ("A box",)}
    found, _ = take("more.csv")
    assert (found["added"], found["captions_present"]) == (0, 3)


def test_a_repaired_table_and_the_list_of_one_import_alone(tmp_path, take):
    fill(tmp_path, {"a.jpg": None, "bad.csv": "image,caption\na.jpg,A ball\nb.jpg,A box\n"})
    found, told = take("bad.csv")
    assert found["left_out"][0]["reason"].startswith(f"no such file; looked in {tmp_path}; give the folder")
    assert "--images" in told
    shutil.copy(tmp_path / "a.jpg", tmp_path / "b.jpg")
    found, told = take("bad.csv")
    assert (found["images"], found["present"], found["skipped"], told) == (1, 1, 0, "")
    assert Workspace(tmp_path / "ws").skipped("import") == []


def test_phrases_of_images_with_new_captions_are_found_again(tmp_path, take):
    from phrasebox.types import Box, GroundedCaption, Phrase

    fill(
        tmp_path,
        {
            "a.jpg": None,
            "b.jpg": None,
            "one.csv": "image,caption\na.jpg,A ball\nb.jpg,A box\n",
            "more.csv": "image,caption\na.jpg,Round\n",
        },
    )
    take("one.csv")
    ws = Workspace(tmp_path / "ws")
    phrase = Phrase("A", (0, 1), Box(0, 0, 4, 4), 1.0, 1.0)
    ws.append_phrases(
        {key: [GroundedCaption(text, (phrase,))] for key, text in (("a.jpg", "A ball"), ("b.jpg", "A box"))}
    )
    take("more.csv")
    assert ws.pending("phrases", "ground") == ["a.jpg"]


@pytest.mark.parametrize("options", [(), ("--split", "val")])
def test_the_split_of_images_that_are_there(tmp_path, take, options):
    fill(
        tmp_path,
        {"a.jpg": None, "one.csv": "image,caption\na.jpg,A ball\n", "val.csv": "image,caption\na.jpg,A ball\n"},
    )
    take("one.csv")
    found, _ = take("val.csv", *options)
    assert (found["moved"], found["stayed"]) == ((1, 0) if options else (0, 1))
    assert Workspace(tmp_path / "ws").count("images", "val") == len(options) // 2


def test_split_lists_as_documented(tmp_path, take):
    fill(
        tmp_path,
        {
            "a.jpg": None,
            "b.jpg": None,
            "c.jpg": None,
            "train.txt": "a.jpg\n",
            "val.txt": "b\n",
            "one.csv": "image,caption\na.jpg,A ball\nb.jpg,A box\nc.jpg,A cup\n",
        },
    )
    found, _ = take("one.csv", "--split-list", tmp_path / "train.txt", tmp_path / "val.txt")
    assert (found["images"], found["seen"]) == (2, 3)
    assert Workspace(tmp_path / "ws").count("images", "val") == 1


def test_addresses_are_no_pictures(tmp_path, call):
    fill(tmp_path, {"a.csv": "url,caption\nhttps://example.com/a.jpg,A ball\n"})
    assert "img2dataset" in call("import", tmp_path / "a.csv", tmp_path / "ws", "--json").reason


def test_one_is_one(tmp_path, call):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("A ball\n")
    assert "1 image with 1 caption imported" in call("import", tmp_path, tmp_path / "ws").out
    assert "0 images with 0 captions imported, already there: 1 image" in call("import", tmp_path, tmp_path / "ws").out

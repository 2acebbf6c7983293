from __future__ import annotations

import os
import unicodedata

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import folder, read_source
from phrasebox.types import Skipped


def fill(root, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def test_pictures_at_any_depth_with_their_captions(tmp_path, sort_out):
    files = {
        "b.JPG": b"",
        "b.txt": "\ufeffa cat\r\n\r\nein Kätzchen\n".encode(),
        "a 犬.webp": b"",
        "deep/er/c.tiff": b"",
        "deep/notes.txt": b"not a caption",
        "deep/c.pdf": b"",
        ".thumbs/b.jpg": b"",
        "deep/._d.jpg": b"",
    }
    fill(tmp_path, files)
    got = sort_out(folder.read(tmp_path))
    assert list(got.examples) == ["a 犬.webp", "b.JPG", "deep/er/c.tiff"]
    assert [caption.text for caption in got.examples["b.JPG"].captions] == ["a cat", "ein Kätzchen"]
    assert got.examples["deep/er/c.tiff"].image == tmp_path / "deep" / "er" / "c.tiff"
    assert {key: reason.split()[0] for key, reason in got.skipped.items()} == {
        "deep/c.pdf": ".pdf",
        "deep/notes.txt": ".txt",
    }


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train/a.jpg", "train"),
        ("Val/a.jpg", "val"),
        ("valid/a.jpg", "val"),
        ("validation/x/a.jpg", "val"),
        ("dev/a.jpg", "val"),
        ("test/a.jpg", "test"),
        ("Training/a.jpg", "train"),
        ("testing/a.jpg", "test"),
        pytest.param("birds/test/a.jpg", "train", id="only the first folder counts"),
        pytest.param("test.jpg", "train", id="a file is not a folder"),
    ],
)
def test_split_is_the_first_folder(tmp_path, sort_out, name, split):
    fill(tmp_path, {name: b""})
    assert sort_out(folder.read(tmp_path)).examples[name].split == split


def test_links_in_a_circle_end(tmp_path, sort_out):
    fill(tmp_path, {"top/in/a.jpg": b""})
    os.symlink(tmp_path / "top", tmp_path / "top" / "in" / "back", target_is_directory=True)
    os.symlink(tmp_path / "top" / "in", tmp_path / "top" / "same", target_is_directory=True)
    assert list(sort_out(folder.read(tmp_path / "top")).examples) == ["in/a.jpg"]


def test_undecodable_captions_are_reported_and_the_picture_stays(tmp_path, sort_out):
    fill(tmp_path, {"x/a.jpg": b"", "x/a.txt": b"\xd1\xee\xe1\xe0\xea\xe0"})
    got = sort_out(folder.read(tmp_path))
    assert got.examples["x/a.jpg"].captions == ()
    assert "not UTF-8" in got.skipped["x/a.txt"]


def test_nothing_to_read(tmp_path):
    fill(tmp_path, {"a.txt": b"text"})
    assert not folder.recognises(tmp_path)
    with pytest.raises(DataError, match="no image"):
        list(folder.read(tmp_path))
    with pytest.raises(DataError, match="not a folder"):
        list(folder.read(tmp_path / "gone"))


def test_labels_of_yolo_beside_the_folder_of_the_pictures_are_named(tmp_path, sort_out):
    for name in ("train/images/a.jpg", "train/labels/a.txt", "data.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("0 0.5 0.5 0.2 0.1")
    got = sort_out(folder.read(tmp_path))
    assert got.examples["train/images/a.jpg"].captions == ()
    assert "export the data set as COCO" in got.skipped["train/labels/a.txt"]
    assert "data.yaml" in got.skipped


@pytest.mark.parametrize(
    ("picture", "beside"),
    [
        pytest.param(
            unicodedata.normalize("NFD", "café.jpg"), unicodedata.normalize("NFC", "café.txt"), id="composition"
        ),
        pytest.param("IMG_1.JPG", "img_1.txt", id="case"),
        pytest.param("img.jpg", "Img.Caption", id="case of stem and suffix"),
        pytest.param("IMG_1.JPG", "img_1.jpg.txt", id="whole name"),
    ],
)
def test_caption_files_whose_names_differ_in_case_or_composition(tmp_path, sort_out, picture, beside):
    fill(tmp_path, {picture: b"", beside: b"a mill"})
    got = sort_out(folder.read(tmp_path))
    assert [caption.text for caption in got.examples[picture].captions] == ["a mill"]
    assert not got.skipped


def test_a_caption_file_that_two_pictures_could_have_is_left_out(tmp_path, sort_out):
    fill(tmp_path, {"img.jpg": b"", "IMG.png": b"", "Img.txt": b"a mill"})
    got = sort_out(folder.read(tmp_path))
    assert [example.captions for example in got.examples.values()] == [(), ()]
    assert list(got.skipped) == ["Img.txt"]


@pytest.mark.parametrize(
    ("table", "text", "format"),
    [
        pytest.param("meta_cap.json", '{"a": {"caption": "A ball"}}', "json", id="kohya"),
        pytest.param("captions.csv", "image,caption\na.jpg,A ball\n", "csv", id="table"),
    ],
)
def test_captions_beside_pictures_that_the_table_of_the_folder_does_not_name(tmp_path, sort_out, table, text, format):
    fill(tmp_path, dict.fromkeys(("a.jpg", "b.jpg", "c.jpg", "d.jpg", "in/e.jpg", "f.jpg"), b""))
    beside = {"a.txt": b"A red ball", "b.txt": b"A cup", "c.txt": b"0 0.5 0.5 0.2 0.1", "in/e.caption": b"A mill"}
    fill(tmp_path, beside | {"f.txt": b"\n", table: text.encode()})
    items = list(read_source(tmp_path))
    assert list(sort_out(items).examples) == ["a.jpg"]
    told = [(item.key, item.count, item.reason) for item in items if isinstance(item, Skipped)]
    assert [(key, count) for key, count, _ in told] == [("b.jpg", 2), ("c.jpg", 3)]
    assert f"was not read because the {format} file was; import again with --format folder" in told[0][2]
    assert "no caption or box names these" in told[1][2]


@pytest.mark.parametrize("folder_of_pictures", ["", "images/"])
def test_pictures_in_no_split_list_are_left_out_once(tmp_path, sort_out, folder_of_pictures):
    fill(tmp_path, {f"{folder_of_pictures}{name}.jpg": b"" for name in "abc"})
    fill(tmp_path, {"captions.csv": b"image,caption\na.jpg,A ball\nb.jpg,A cup\n", "train.txt": b"a.jpg\n"})
    got = list(read_source(tmp_path, split_files=[tmp_path / "train.txt"]))
    assert list(sort_out(got).examples) == ["a.jpg"]
    told = [(item.key, item.count) for item in got if isinstance(item, Skipped)]
    assert told == [("b.jpg", 1), (f"{folder_of_pictures}c.jpg", 1)]

"""Names of pictures as people have them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from phrasebox.errors import DataError
from phrasebox.formats._names import PictureNames


@pytest.fixture
def data(tmp_path):
    names = (
        "images/a.jpg",
        "images/sub/B c.JPG",
        "images/000000000042.jpg",
        "images/7.png",
        "beside.jpg",
        f"images/{unicodedata.normalize('NFD', 'Bär')}.jpg",
        "images/two.jpg",
        "images/two.png",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "key"),
    [
        pytest.param("a.jpg", "a.jpg", id="in the images folder"),
        pytest.param("beside.jpg", "beside.jpg", id="beside the file"),
        pytest.param("images/a.jpg", "a.jpg", id="relative to the file"),
        pytest.param("./images/../images/a.jpg", "a.jpg", id="dots"),
        pytest.param("data/images/a.jpg", "a.jpg", id="more folders in front"),
        pytest.param("sub/B c.JPG", "sub/B c.JPG", id="a folder"),
        pytest.param("images\\sub\\B c.JPG", "sub/B c.JPG", id="Windows"),
        pytest.param("C:\\Users\\me\\images\\a.jpg", "a.jpg", id="absolute on Windows"),
        pytest.param("/elsewhere/images/sub/B c.JPG", "sub/B c.JPG", id="absolute elsewhere"),
        pytest.param("/elsewhere/photos/a.jpg", "a.jpg", id="absolute, another folder"),
        pytest.param("A.JPG", "a.jpg", id="case"),
        pytest.param("SUB/b C.jpg", "sub/B c.JPG", id="case of a folder"),
        pytest.param("a.jpeg", "a.jpg", id="another suffix"),
        pytest.param("a", "a.jpg", id="no suffix"),
        pytest.param(
            unicodedata.normalize("NFC", "Bär.jpg"), unicodedata.normalize("NFD", "Bär.jpg"), id="composition"
        ),
        pytest.param(42, "000000000042.jpg", id="a number of COCO"),
        pytest.param(42.0, "000000000042.jpg", id="a number with a point"),
        pytest.param("42.0", "000000000042.jpg", id="a number of pandas"),
        pytest.param("7", "7.png", id="a number as text"),
        pytest.param(" a.jpg ", "a.jpg", id="blanks"),
    ],
)
def test_found(data, name, key):
    found = PictureNames(None, data).find(name)
    assert (found.key, found.path, found.sought) == (key, found.path, ())
    assert found.path.is_file()


def test_absolute_names_inside(data):
    for name in (data / "images" / "a.jpg", f"file://{data}/images/a.jpg"):
        assert PictureNames(None, data).find(str(name)).key == "a.jpg"
        assert PictureNames(data / "images", data / "images" / "sub").find(str(name)).key == "a.jpg"


@pytest.mark.parametrize("name", ["b.jpg", "two", "TWO.gif", "no/a.jpg", "images/b.jpg"])
def test_what_is_not_there_or_not_clear_has_the_folders_that_were_tried(data, name):
    assert PictureNames(None, data).find(name).sought == (data / "images", data)


def test_absolute_names_have_one_beginning(data):
    names = PictureNames(None, data)
    assert names.find("/x/1/a.jpg").key == "a.jpg"
    with pytest.raises(DataError, match="leaves its folder"):
        names.find("/x/2/7.png")
    assert [remark.text for remark in names.remarks()] == [f"absolute names: /x/1 is taken to be {data / 'images'}"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("https://example.com/a.jpg", "address.*download the pictures first.*img2dataset.*--images"),
        ("s3://bucket/a.jpg", "address"),
        ("../out.jpg", r"leaves its folder; looked in .*images and .*--images"),
        ("/etc/passwd", "leaves its folder.*--images /etc"),
        ("", "blank"),
        (None, "no name"),
        ([1], "no name"),
        ("\ud800.jpg", "Unicode"),
    ],
)
def test_refused(data, name, reason):
    with pytest.raises(DataError, match=reason):
        PictureNames(None, data).find(name)


def test_keys_from_the_root_of_a_data_set(data):
    assert PictureNames(None, data / "images" / "sub", root=data).find("B c.JPG").key == "images/sub/B c.JPG"


def test_names_that_were_not_found_as_written_are_counted(data):
    names = PictureNames(None, data)
    for name in ("A.JPG", "a.jpeg", "a.jpg"):
        names.find(name)
    assert [(remark.count, "A.JPG is a.jpg" in remark.text) for remark in names.remarks()] == [(2, True)]


def test_nothing_outside_is_reached(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.jpg").touch()
    names = PictureNames(None, tmp_path / "data")
    for name in ("../secret.jpg", "x/../../secret.jpg", str(tmp_path / "secret.jpg"), "..\\secret.jpg"):
        with pytest.raises(DataError, match="leaves its folder"):
            names.find(name)
    assert Path(names.find("secret.jpg").path).parent == tmp_path / "data"

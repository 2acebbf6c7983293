from __future__ import annotations

import pytest
from PIL import Image

from phrasebox.errors import DataError
from phrasebox.formats._reading import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES, SplitLists, images_folder, text_lines


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        pytest.param(b"\xef\xbb\xbfa\r\nb\rc\n", ["a", "b", "c", ""], id="byte-order mark, every kind of line end"),
        pytest.param("a\nb".encode("utf-16"), ["a", "b"], id="UTF-16"),
        pytest.param(b"caf\xe9\nb", ["café", "b"], id="cp1252"),
        pytest.param("a\u2028b\x0bc".encode(), ["a\u2028b\x0bc"], id="other separators stay in the caption"),
    ],
)
def test_text_lines(data, lines):
    assert text_lines(data) == lines


def test_text_that_is_not_utf8():
    with pytest.raises(DataError, match="byte 1"):
        text_lines(b"a\xd1\xee\xe1")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Flickr_8k.trainImages.txt", "train"),
        ("Flickr_8k.devImages.txt", "val"),
        ("flickr30k_test.txt", "test"),
        ("val.txt", "val"),
        ("my_training.txt", "train"),
    ],
)
def test_lists_beside_the_captions_are_found(tmp_path, name, split):
    (tmp_path / name).write_text("a b.jpg\n\n36979\n")
    (tmp_path / "strain.txt").write_text("c.jpg\n")  # no list: the word only ends like a split
    lists = SplitLists.load((), tmp_path)
    assert lists.split("a b.jpg") == split
    assert lists.split("36979.jpg", "36979") == split
    assert lists.split("c.jpg") is None


def test_given_lists_replace_those_beside(tmp_path):
    (tmp_path / "train.txt").write_text("a.jpg\n")
    own = tmp_path / "own"
    own.mkdir()
    (own / "my_test.txt").write_text("a.jpg\n")
    assert SplitLists.load([own / "my_test.txt"], tmp_path).split("a.jpg") == "test"


def test_without_lists_all_is_train(tmp_path):
    assert SplitLists.load((), tmp_path).split("a.jpg") == "train"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param({"mine.txt": b"a\n"}, "name it", id="split not in the name"),
        pytest.param({"train.txt": b"a\n", "test.txt": b"a\n"}, "also in the", id="image in two splits"),
        pytest.param({"train.txt": b"\xd1\xee\xe1"}, "not UTF-8", id="undecodable"),
        pytest.param({"train.txt": None}, "cannot read", id="missing"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, files, reason):
    for name, data in files.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=reason):
        SplitLists.load([tmp_path / name for name in files], tmp_path)


def test_images_folder(tmp_path):
    assert images_folder(None, tmp_path) == tmp_path
    (tmp_path / "images").mkdir()
    assert images_folder(None, tmp_path) == tmp_path / "images"
    assert images_folder(tmp_path, tmp_path / "images") == tmp_path
    with pytest.raises(DataError, match="does not exist"):
        images_folder(tmp_path / "gone", tmp_path)


def test_every_suffix_that_pillow_opens_by_itself_is_a_picture():
    Image.init()
    stubs = {".bufr", ".grib", ".h5", ".hdf", ".iim", ".mpeg", ".mpg"}  # Pillow knows these, and opens none
    programs = {".emf", ".eps", ".ps", ".wmf"}  # other programs are started, or only Windows has them
    by_itself = {suffix: kind for suffix, kind in Image.registered_extensions().items() if kind != "HEIF"}  # an extra
    opened = {suffix for suffix, kind in by_itself.items() if kind in Image.OPEN}
    assert opened - stubs - programs <= IMAGE_SUFFIXES
    assert IMAGE_SUFFIXES - opened <= {".mpo"}
    assert not IMAGE_SUFFIXES & (OTHER_IMAGE_SUFFIXES | stubs | programs)

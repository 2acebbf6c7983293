from __future__ import annotations

import zipfile
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import entities, entities_writing
from phrasebox.formats.writing import Written
from phrasebox.types import Box, GroundedCaption, GroundedImage, Phrase


def phrases_of(caption, *spans):
    found = (Phrase(caption[slice(*span)], span, Box(0, 0, 8, 8), 1, 1) for span in spans)
    return GroundedCaption(caption, tuple(found))


def image(*captions, key="x.jpg"):
    return GroundedImage(key, None, "train", 8, 8, captions)  # type: ignore[arg-type]


def official(folder, name):
    """Boxes as the data set's own reader has them: by chain, 0-based, last pixel included; and the phrases."""
    boxes: dict[str, list[list[int]]] = {}
    for item in ElementTree.parse(folder / "Annotations" / f"{name}.xml").getroot().findall("object"):
        for chain in item.findall("name"):
            for box in item.findall("bndbox"):
                corners = [int(box.findall(edge)[0].text or "") - 1 for edge in ("xmin", "ymin", "xmax", "ymax")]
                boxes.setdefault(chain.text or "", []).append(corners)
    return boxes, (folder / "Sentences" / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def test_layout_and_conventions(records, tmp_path):
    assert entities_writing.write(tmp_path / "out", records) == Written(captions=3, phrases=6, dropped=1)
    files = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert files == [
        "Annotations/día_犬 1.xml",
        "Annotations/two dogs.xml",
        "Sentences/día_犬 1.txt",
        "Sentences/two dogs.txt",
        "train.txt",
        "val.txt",
    ]
    assert (tmp_path / "out" / "val.txt").read_text(encoding="utf-8") == "día_犬 1\n"
    boxes, lines = official(tmp_path / "out", "two dogs")
    assert lines == [
        "[/EN#1/other a dog] beside [/EN#2/other a dog], [/EN#3/other zwei Hunde] – [/EN#4/scene 犬]",
        "nothing found here",
    ]
    left, right = [0, 1, 10, 19], [20, 0, 39, 29]
    assert {chain: sorted(found) for chain, found in boxes.items()} == {
        "1": [left],
        "2": [right],
        "3": [left, right],
        "4": [[0, 0, 39, 29]],
    }
    root = ElementTree.parse(tmp_path / "out" / "Annotations" / "día_犬 1.xml").getroot()
    assert [root.findtext(name) for name in ("filename", "size/width", "size/height", "size/depth")] == [
        "día/犬 1.jpg",
        "10",
        "20",
        "3",
    ]


def test_a_zip_holds_the_same(records, tmp_path):
    entities_writing.write(tmp_path / "out", records)
    entities_writing.write(tmp_path / "out.zip", records)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        for name in archive.namelist():
            assert archive.read(name) == (tmp_path / "out" / name).read_bytes()
        assert len(archive.namelist()) == 6
    assert entities.recognises(tmp_path / "out.zip")


@pytest.mark.parametrize(
    ("caption", "line", "kept"),
    [
        pytest.param(phrases_of("a big dog", (0, 9), (2, 5)), "[/EN#1/other a big dog]", 1, id="one in another"),
        pytest.param(phrases_of("a [big] dog", (0, 7), (8, 11)), "a [big] [/EN#1/other dog]", 1, id="brackets"),
        pytest.param(phrases_of("a\r\ndog", (3, 6)), "a  [/EN#1/other dog]", 1, id="line break"),
        pytest.param(phrases_of("a  dog ", (1, 7)), "a  [/EN#1/other dog] ", 1, id="blanks at the edges"),
        pytest.param(phrases_of("a dog", (1, 2)), "a dog", 0, id="nothing but blanks"),
    ],
)
def test_what_tags_can_hold(caption, line, kept, tmp_path):
    report = entities_writing.write(tmp_path / "out", [image(caption)])
    assert (report.phrases, report.dropped) == (kept, len(caption.phrases) - kept)
    assert (tmp_path / "out" / "Sentences" / "x.txt").read_text(encoding="utf-8") == line + "\n"


def test_a_caption_that_looks_like_a_tag_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a caption of x.jpg contains '\[/EN#'"):
        entities_writing.write(tmp_path / "out", [image(GroundedCaption("see [/EN#1/other a dog]"))])
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_one_stem_and_of_awkward_names_are_found_again(records, tmp_path, sort_out):
    (tmp_path / "images" / "a").mkdir(parents=True)
    keys = ["1.jpg", "1.png", "a/1.jpg", "a_1.jpg", ".hidden.jpg", "two  spaces .jpg"]
    for key in keys:
        (tmp_path / "images" / key).touch()
    found = [replace(records[1], key=key, split=split) for key, split in zip(keys, ["train", "val"] * 3, strict=True)]
    entities_writing.write(tmp_path / "out", found)
    got = sort_out(entities.read(tmp_path / "out", images=tmp_path / "images"))
    assert got.skipped == {}
    assert {key: example.split for key, example in got.examples.items()} == {one.key: one.split for one in found}


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd"])
def test_an_annotation_cannot_name_a_picture_outside(name, tmp_path, sort_out):
    (tmp_path / "secret.jpg").touch()
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "1.jpg").touch()
    entities_writing.write(tmp_path / "data" / "out", [image(GroundedCaption("a dog"), key="1.jpg")])
    annotation = tmp_path / "data" / "out" / "Annotations" / "1.xml"
    annotation.write_text(annotation.read_text().replace("1.jpg", name))
    got = sort_out(entities.read(tmp_path / "data" / "out", images=tmp_path / "data" / "images"))
    assert list(got.examples) == ["1.jpg"]

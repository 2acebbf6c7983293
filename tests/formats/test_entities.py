from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.errors import DataError
from phrasebox.formats import entities
from phrasebox.formats._writing import Written
from phrasebox.formats.entities import parse_annotation, parse_sentence
from phrasebox.types import Box, GroundedCaption, GroundedImage, Phrase

plain = st.text(st.characters(exclude_characters="[]\n\r", exclude_categories=["Cs"]), max_size=12)
words = plain.map(str.strip).filter(bool)
kinds = st.lists(st.sampled_from(["people", "scene", "other", "bodyparts"]), min_size=1, max_size=3)
tags = st.tuples(st.integers(0, 5).map(str), kinds, words)


@given(parts=st.lists(st.tuples(plain, tags), min_size=1, max_size=5), tail=plain)
def test_a_sentence_gives_back_the_parts_it_was_built_from(parts, tail):
    boxes = {str(chain): (Box(chain, 0, chain + 1, 1), Box(chain, 2, chain + 1, 3)) for chain in range(4)}
    line, text, spans = "", "", []
    for before, (chain, types, phrase) in parts:
        line += f"{before}[/EN#{chain}/{'/'.join(types)} {phrase}]"
        text += before
        spans.append((len(text), len(text) + len(phrase)))
        text += phrase
    caption = parse_sentence(line + tail, boxes)
    assert caption.text == text + tail
    assert [phrase.span for phrase in caption.phrases] == spans
    for phrase, (_, (chain, types, written)) in zip(caption.phrases, parts, strict=True):
        assert phrase.text == written == caption.text[slice(*phrase.span)]
        assert (phrase.chain, phrase.types) == (chain, tuple(types))
        assert phrase.boxes == (() if chain == "0" else boxes.get(chain, ()))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("[/EN#12/people A man is jumping .", id="never closed"),
        pytest.param("[/EN#12/people] is jumping .", id="no words"),
        pytest.param("[/EN#12 A man] is jumping .", id="no type"),
        pytest.param("[/EN#1/people A [/EN#2/other hat] man]", id="one in another"),
    ],
)
def test_malformed_tags(line):
    with pytest.raises(DataError, match="malformed tag"):
        parse_sentence(line, {})


def test_brackets_that_are_no_tags_are_text():
    caption = parse_sentence("A sign [sic] by [/EN#1/people a man ] .", {})
    assert caption.text == "A sign [sic] by a man  ."
    assert caption.phrases[0].text == "a man"
    assert caption.phrases[0].span == (16, 21)


def annotation_xml(*objects: str, size: str = "<width>100</width><height>80</height>") -> bytes:
    return f"<annotation><size>{size}</size>{''.join(objects)}</annotation>".encode()


def an_object(chains: list[int], *boxes: tuple[object, ...], flags: str = "") -> str:
    names = "".join(f"<name>{chain}</name>" for chain in chains)
    edges = ("xmin", "ymin", "xmax", "ymax")
    drawn = "".join(
        "<bndbox>" + "".join(f"<{edge}>{at}</{edge}>" for edge, at in zip(edges, box, strict=True)) + "</bndbox>"
        for box in boxes
    )
    return f"<object>{names}{drawn}{flags}</object>"


def test_boxes_count_from_zero_and_end_after_the_last_pixel():
    xml = annotation_xml(
        an_object([1], (1, 1, 100, 80)),  # the whole image
        an_object([2], (5, 5, 5, 5)),  # one pixel
        an_object([3], (5, 5, 4, 9)),  # no area: dropped
        an_object([4, 1], (11, 21, 30, 40)),  # one box, two chains; a second box of chain 1
        an_object([5], flags="<scene>1</scene><nobndbox>1</nobndbox>"),
    )
    annotation = parse_annotation(xml)
    assert annotation.size == (100, 80)
    assert annotation.boxes == {
        "1": (Box(0, 0, 100, 80), Box(10, 20, 30, 40)),
        "2": (Box(4, 4, 5, 5),),
        "3": (),
        "4": (Box(10, 20, 30, 40),),
        "5": (),
    }


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        pytest.param(b"<annotation><size>", "malformed", id="cut off"),
        pytest.param(annotation_xml(size="<width>100</width>"), "cannot be used", id="no height"),
        pytest.param(annotation_xml(an_object([1], (1, 2, "x", 4))), "cannot be used", id="no number"),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY b "bb">]><annotation>&b;</annotation>', "cannot be used", id="entity expansion"
        ),
    ],
)
def test_annotations_that_cannot_be_used(xml, reason):
    with pytest.raises(DataError, match=reason):
        parse_annotation(xml)


GOOD = annotation_xml(an_object([7], (1, 1, 50, 40)))
SENTENCES = b"""[/EN#7/people A child] by [/EN#0/notvisual day] .

[/EN#7/people A child cut off
[/EN#7/people Sie] lacht ."""
FILES = {
    "Sentences/100.txt": SENTENCES,
    "Sentences/._100.txt": b"left by a file manager",
    "Annotations/100.xml": GOOD,
    "Sentences/200.txt": b"A dog .",
    "Annotations/200.xml": b"<broken",
    "Sentences/300.txt": b"A cat .",
    "Annotations/400.xml": GOOD,
    "Sentences/500.txt": b"Two pictures .",
    "Annotations/500.xml": GOOD,
    "Sentences/600.txt": b"No picture .",
    "Annotations/600.xml": GOOD,
}
PICTURES = ("100_ab.jpg", "200.jpg", "300_a b.jpg", "400_ü.jpg", "500_a.jpg", "500_b.jpg", "1000_x.jpg")


@pytest.fixture(params=["folder", "zip", "zip with a folder on top", "annotations.zip in the folder"])
def source(request, tmp_path) -> Path:
    (tmp_path / "images").mkdir()
    for name in PICTURES:
        (tmp_path / "images" / name).touch()
    if request.param == "folder":
        for name, data in FILES.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(data)
        return tmp_path
    top = "flickr30k_entities/" if "top" in request.param else ""
    with zipfile.ZipFile(tmp_path / "annotations.zip", "w") as archive:
        for name, data in FILES.items():
            archive.writestr(top + name, data)
    return tmp_path if request.param.startswith("annotations") else tmp_path / "annotations.zip"


def test_ground_truth_and_reports(source, sort_out):
    assert entities.recognises(source)
    got = sort_out(entities.read(source))
    assert list(got.examples) == ["100_ab.jpg"]
    example = got.examples["100_ab.jpg"]
    assert example.image.parent.name == "images"
    assert (example.split, example.size) == ("train", (100, 80))
    first, second = example.captions
    assert first.text == "A child by day ."
    assert [(phrase.text, phrase.boxes) for phrase in first.phrases] == [
        ("A child", (Box(0, 0, 50, 40),)),
        ("day", ()),
    ]
    assert second.text == "Sie lacht ."
    expected = {
        "100_ab.jpg#1": "malformed tag",
        "200.jpg": "XML is malformed",
        "300_a b.jpg": "no Annotations/300.xml",
        "400_ü.jpg": "no Sentences/400.txt",
        "500": "500_a.jpg and 500_b.jpg",
        "600": "no 600.jpg",
    }
    assert list(got.skipped) == list(expected)
    assert all(part in got.skipped[key] for key, part in expected.items())


@pytest.mark.parametrize("entry", ["100", "100_ab.jpg"], ids=["by id", "by file name"])
def test_split_lists(source, sort_out, tmp_path, entry):
    (tmp_path / "own_test.txt").write_text(f"{entry}\n")
    got = sort_out(entities.read(source, split_files=[tmp_path / "own_test.txt"]))
    assert got.examples["100_ab.jpg"].split == "test"
    left_out = [key for key, reason in got.skipped.items() if reason == "in none of the split lists (own_test.txt)"]
    assert len(left_out) == 3


def test_sources_that_cannot_be_read(tmp_path):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "bad.zip").write_bytes(b"PK but no zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "text")
    for name, reason in (("bad.zip", "not a zip"), ("other.zip", "no Sentences"), ("gone.zip", "cannot read")):
        assert not entities.recognises(tmp_path / name)
        with pytest.raises(DataError, match=reason):
            list(entities.read(tmp_path / name))


def test_a_damaged_member_is_reported(tmp_path, sort_out):
    (tmp_path / "1.jpg").touch()
    path = tmp_path / "annotations.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Annotations/1.xml", GOOD)
        archive.writestr("Sentences/1.txt", "[/EN#7/people Somebody] here .")
    path.write_bytes(path.read_bytes().replace(b"Somebody", b"Somewhat"))
    got = sort_out(entities.read(path))
    assert not got.examples
    assert "cannot read Sentences/1.txt" in got.skipped["1.jpg"]


def test_no_pictures_at_all(source, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in"):
        list(entities.read(source, tmp_path / "empty"))


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
    assert entities.write(tmp_path / "out", records) == Written(captions=3, phrases=6, dropped=1)
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
    entities.write(tmp_path / "out", records)
    entities.write(tmp_path / "out.zip", records)
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
    report = entities.write(tmp_path / "out", [image(caption)])
    assert (report.phrases, report.dropped) == (kept, len(caption.phrases) - kept)
    assert (tmp_path / "out" / "Sentences" / "x.txt").read_text(encoding="utf-8") == line + "\n"


def test_a_caption_that_looks_like_a_tag_is_left_out(tmp_path):
    captions = [GroundedCaption(text) for text in ("A dog", "see [/EN#1/other a dog]", "A cat")]
    written = entities.write(tmp_path / "out", [image(*captions)])
    (left_out,) = written.left_out
    assert (written.captions, left_out.key) == (2, "x.jpg#1")
    assert "the tag of Entities" in left_out.reason
    assert (tmp_path / "out" / "Sentences" / "x.txt").read_text() == "A dog\nA cat\n"


def test_pictures_of_one_stem_and_of_awkward_names_are_found_again(records, tmp_path, sort_out):
    (tmp_path / "images" / "a").mkdir(parents=True)
    keys = ["1.jpg", "1.png", "a/1.jpg", "a_1.jpg", ".hidden.jpg", "two  spaces .jpg"]
    for key in keys:
        (tmp_path / "images" / key).touch()
    found = [replace(records[1], key=key, split=split) for key, split in zip(keys, ["train", "val"] * 3, strict=True)]
    entities.write(tmp_path / "out", found)
    got = sort_out(entities.read(tmp_path / "out", images=tmp_path / "images"))
    assert got.skipped == {}
    assert {key: example.split for key, example in got.examples.items()} == {one.key: one.split for one in found}


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd"])
def test_an_annotation_cannot_name_a_picture_outside(name, tmp_path, sort_out):
    (tmp_path / "secret.jpg").touch()
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "1.jpg").touch()
    entities.write(tmp_path / "data" / "out", [image(GroundedCaption("a dog"), key="1.jpg")])
    annotation = tmp_path / "data" / "out" / "Annotations" / "1.xml"
    annotation.write_text(annotation.read_text().replace("1.jpg", name))
    got = sort_out(entities.read(tmp_path / "data" / "out", images=tmp_path / "data" / "images"))
    assert list(got.examples) == ["1.jpg"]

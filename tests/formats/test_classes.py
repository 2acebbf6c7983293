from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from phrasebox.errors import DataError
from phrasebox.formats import write_target
from phrasebox.formats._classes import Classes, ClassIndex
from phrasebox.types import Box, GroundedCaption, Phrase

TABLE = """\
# nouns of people
man,person
Woman , person
boy\tperson
fire hydrant
dog: dog
sky,
"""


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        (tmp_path / "classes.txt").write_text(text, encoding=encoding)
        return tmp_path / "classes.txt"

    return write


def test_a_table_maps_and_leaves_out(table):
    classes = Classes.read(table(TABLE, "utf-8-sig"))
    phrases = ("two men", "an old woman", "a red fire hydrant", "dogs", "the blue sky", "a cat")
    assert [classes.of(phrase) for phrase in phrases] == ["person", "person", "fire hydrant", "dog", None, None]
    assert list(ClassIndex(classes)) == ["person", "fire hydrant", "dog"]


def test_a_star_keeps_the_others(table):
    classes = Classes.read(table(TABLE + "*\n"))
    assert [classes.of(phrase) for phrase in ("the blue sky", "two cats")] == [None, "cat"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("man,person,x", "line 1"),
        ("dog\n,person", "line 2"),
        ("dog,a\ndog,b", "line 2: 'dog' is of two classes"),
        ("", "lists no class"),
        ("sky,", "lists no class"),
    ],
)
def test_tables_that_are_refused(text, message, table):
    with pytest.raises(DataError, match=message):
        Classes.read(table(text))


def test_a_table_that_cannot_be_read(tmp_path, table):
    for file in (tmp_path / "gone.txt", tmp_path):
        with pytest.raises(DataError, match=r"cannot read .*; give a text file"):
            Classes.read(file)
    with pytest.raises(DataError, match="not UTF-8"):
        Classes.read(table("caf\xe9", "latin-1"))


def said(record, *texts):
    box = Box(1, 2, 9, 19)
    return replace(
        record, captions=tuple(GroundedCaption(text, (Phrase(text, (0, len(text)), box, 1, 1),)) for text in texts)
    )


def classes_in(out, format):
    if format == "coco-detection":
        return [one["name"] for one in json.loads(out.read_text())["categories"]]
    if format == "yolo":
        return list(yaml.safe_load((out / "data.yaml").read_text())["names"].values())
    return json.loads((out / "labels.json").read_text())["classes"]


def images_in(out, format):
    if format == "coco-detection":
        return len(json.loads(out.read_text())["images"])
    if format == "yolo":
        return len(list((out / "images").iterdir()))
    return len(json.loads((out / "labels.json").read_text())["labels"])


@pytest.mark.parametrize("format", ["coco-detection", "yolo", "fiftyone"])
def test_the_three_formats_agree(format, records, tmp_path, table):
    made = [
        said(replace(records[1], key="1.jpg"), "A brown dog", "a black and white dog", "dogs", "a cat"),
        said(replace(records[1], key="2.jpg"), "the sky"),
        replace(records[1], key="3.jpg", captions=(GroundedCaption("nothing"),)),
    ]
    written = write_target(tmp_path / "all", made, format)
    assert classes_in(tmp_path / "all", format) == ["dog", "cat", "sky"]
    assert (images_in(tmp_path / "all", format), written.empty, written.captions) == (2, 1, 5)

    written = write_target(tmp_path / "some", made, format, Classes.read(table("cat,animal\ndog,animal")))
    assert classes_in(tmp_path / "some", format) == ["animal"]
    assert (images_in(tmp_path / "some", format), written.unclassed, written.empty) == (1, 1, 2)

    written = write_target(tmp_path / "empty", made, format, Classes(rare=frozenset({"sky"}), empty=True))
    assert classes_in(tmp_path / "empty", format) == ["dog", "cat"]
    assert (images_in(tmp_path / "empty", format), written.empty) == (3, 0)

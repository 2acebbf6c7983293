from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.kosmos2.processing_kosmos2 import (
    clean_text_and_extract_entities_with_bboxes,
    coordinate_to_patch_index,
)

from phrasebox.formats import detect, kosmos
from phrasebox.formats._writing import Written
from phrasebox.formats.kosmos import grounded_text, patch_indices
from phrasebox.types import Box, GroundedCaption, Phrase


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@given(
    st.tuples(st.integers(0, 99), st.integers(1, 100)).filter(lambda ends: ends[0] < ends[1]),
    st.tuples(st.integers(0, 69), st.integers(1, 70)).filter(lambda ends: ends[0] < ends[1]),
)
def test_cells_are_those_of_transformers(across, down):
    (x1, x2), (y1, y2) = across, down
    expected = coordinate_to_patch_index((x1 / 100, y1 / 70, x2 / 100, y2 / 70), 32)
    assert patch_indices(Box(x1, y1, x2, y2), 100, 70) == expected


def test_transformers_finds_the_phrases(records, tmp_path):
    assert kosmos.write(tmp_path / "grit.jsonl", records) == Written(captions=3, phrases=6, dropped=1)
    rows = lines(tmp_path / "grit.jsonl")
    read = [clean_text_and_extract_entities_with_bboxes(row["grounded"]) for row in rows]
    assert [text for text, _ in read] == [row["caption"] for row in rows]
    found = [(text[slice(*span)], name, len(boxes)) for text, entities in read for name, span, boxes in entities]
    assert found == [
        ("a dog", "a dog", 1),
        ("a dog", "a dog", 1),
        ("zwei Hunde", "zwei Hunde", 2),
        ("犬", "犬", 1),
        ("a dog", "a dog", 1),
    ]
    assert [span[0] for _, span, _ in read[0][1]] == [0, 13, 20, 33]
    assert "<phrase> zwei Hunde</phrase><object><patch_index_0032><patch_index_0680></delimiter" in rows[0]["grounded"]


def test_rows_of_grit(records, tmp_path):
    kosmos.write(tmp_path / "grit.jsonl", records)
    first, bare, second = lines(tmp_path / "grit.jsonl")
    assert (first["file_name"], first["width"], first["height"], first["ref_exps"]) == ("two dogs.png", 40, 30, [])
    assert [first["caption"][int(chunk[0]) : int(chunk[1])] for chunk in first["noun_chunks"]] == [
        "a dog",
        "a dog",
        "zwei Hunde",
        "zwei Hunde",
        "犬",
    ]
    assert first["noun_chunks"][4] == [33, 34, 0, 0, 1, 1, 0.25]
    assert bare["noun_chunks"] == []
    assert bare["grounded"] == "<grounding> nothing found here"
    assert second["noun_chunks"] == [[0, 5, 0.1, 0.1, 0.9, 0.95, 0.25]]


def test_lines_that_cannot_be_read_and_referring_expressions(tmp_path, sort_out):
    line = {"file_name": "a.jpg", "width": 40, "height": 20, "caption": "a dog by a tree", "noun_chunks": []}
    rows = [
        line | {"noun_chunks": [[0.0, 5.0, 0, 0, 0.5, 1, 0.9]], "ref_exps": [[0, 15, 0, 0, 0.5, 0.5, 0.9]]},
        line | {"file_name": "b.jpg", "width": None},
        line | {"file_name": "c.jpg", "noun_chunks": [[0, 5, 0, 0, 0.5], "dog", {"a": 1}, [0, 5, "x", 0, 1, 1, 1]]},
        line | {"file_name": "d.jpg", "noun_chunks": [[0, 99, 0, 0, 0.5, 1, 0.9]]},
    ]
    (tmp_path / "grit_val.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert detect(tmp_path) == "kosmos"
    got = sort_out(kosmos.read(tmp_path))
    first = got.examples["a.jpg"]
    assert (first.split, first.size) == ("val", (40, 20))
    assert [(phrase.text, phrase.boxes) for phrase in first.captions[0].phrases] == [
        ("a dog", (Box(0, 0, 20, 20),)),
        ("a dog by a tree", (Box(0, 0, 20, 10),)),
    ]
    assert [got.examples[key].captions[0].phrases for key in ("c.jpg", "d.jpg")] == [(), ()]
    assert got.skipped.keys() == {"grit_val.jsonl:2", "c.jpg#0", "d.jpg#0"}
    assert "no width and height" in got.skipped["grit_val.jsonl:2"]


@pytest.mark.parametrize(
    ("caption", "spans", "expected"),
    [
        pytest.param("小狗跑", [(0, 2), (2, 3)], "<phrase> 小狗</phrase>{}<phrase>跑</phrase>{}", id="no spaces"),
        pytest.param("a big dog", [(2, 9), (6, 9)], " a<phrase> big dog</phrase>{}", id="one in another"),
        pytest.param("a big dog", [(0, 5), (2, 9)], "<phrase> a big</phrase>{} dog", id="overlapping"),
    ],
)
def test_what_stands_in_a_tag(caption, spans, expected):
    phrases = tuple(Phrase(caption[slice(*span)], span, Box(0, 0, 8, 8), 1, 1) for span in spans)
    place = "<object><patch_index_0000><patch_index_1023></object>"
    assert grounded_text(GroundedCaption(caption, phrases), 8, 8) == f"<grounding>{expected.replace('{}', place)}"

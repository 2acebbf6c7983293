"""Exports that vision-language models are fine-tuned on, read back as their peers read them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers.models.florence2.processing_florence2 import Florence2PostProcessor

from phrasebox.formats import read_source, write_target
from phrasebox.formats._writing import Written
from phrasebox.formats.florence2 import location
from phrasebox.types import Box, GroundedCaption, Phrase


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def exported(records, path, name):
    written = write_target(path, records, name)
    return written, lines(path)


def read_ms_swift(line):
    """The answer with its placeholders filled in turn, as ms-swift does, and the boxes of every reference."""
    refs, boxes = iter(line["objects"]["ref"]), iter(line["objects"]["bbox"])
    text, found = "", []
    for part in re.split(r"(<ref-object>|<bbox>|<image>)", line["messages"][1]["content"]):
        if part == "<ref-object>":
            found.append((next(refs), len(text), []))
            text += found[-1][0]
        elif part == "<bbox>":
            found[-1][2].append(next(boxes))
        else:
            assert part != "<image>"
            text += part
    assert (next(refs, None), next(boxes, None)) == (None, None)
    return text, [(ref, start, own) for ref, start, own in found if own]


def read_florence2(line, width, height):
    tokenizer = SimpleNamespace(all_special_tokens=[])
    reader = Florence2PostProcessor(config=None, tokenizer=tokenizer)
    return reader.parse_phrase_grounding_from_text_and_spans(line["suffix"], (width, height))


def test_ms_swift(records, tmp_path):
    written, (first, bare, second) = exported(records, tmp_path / "x.jsonl", "ms-swift")
    assert written == Written(captions=3, phrases=6, dropped=1)
    text, found = read_ms_swift(first)
    assert text == records[0].captions[0].text
    left, right = [0.0, 1.0, 11.0, 20.0], [20.12, 0.0, 40.0, 30.0]
    assert found == [
        ("a dog", 0, [left]),
        ("a dog", 13, [right]),
        ("zwei Hunde", 20, [left, right]),
        ("犬", 33, [[0.0, 0.0, 40.0, 30.0]]),
    ]
    assert first["objects"]["bbox_type"] == "real"
    assert first["images"] == ["two dogs.png"]
    assert first["messages"][0]["content"].count("<image>") == 1
    assert read_ms_swift(bare) == ("nothing found here", [])
    assert second["images"] == ["día/犬 1.jpg"]


@pytest.mark.parametrize("tag", ["<bbox>", "<ref-object>", "<image>"])
def test_ms_swift_keeps_a_placeholder_that_is_text(records, tmp_path, tag):
    text = f"{tag} of a dog {tag}"
    start = text.index("a dog")
    caption = GroundedCaption(text, (Phrase("a dog", (start, start + 5), Box(1, 2, 3, 4), 1, 1),))
    _, (line,) = exported([replace(records[0], captions=(caption,))], tmp_path / "x.jsonl", "ms-swift")
    assert read_ms_swift(line) == (text, [("a dog", start, [[1, 2, 3, 4]])])


def test_a_phrase_inside_another_is_counted_as_dropped(records, tmp_path):
    spans = [(0, 9), (2, 5)]
    phrases = tuple(Phrase("a big dog"[slice(*span)], span, Box(0, 0, 8, 8), 1, 1) for span in spans)
    nested = [replace(records[0], captions=(GroundedCaption("a big dog", phrases),))]
    assert exported(nested, tmp_path / "x.jsonl", "ms-swift")[0] == Written(1, 1, 1)
    assert exported(nested, tmp_path / "y.jsonl", "qwen")[0] == Written(1, 2, 0)


def test_transformers_reads_florence2(records, tmp_path):
    written, (first, second) = exported(records, tmp_path / "x.jsonl", "florence2")
    assert written == Written(captions=2, phrases=6, dropped=1)  # a caption without phrases teaches nothing here
    found = read_florence2(first, 40, 30)
    assert [(one["cat_name"], len(one["bbox"])) for one in found] == [
        ("a dog", 1),
        ("a dog", 1),
        ("zwei Hunde", 2),
        ("", 1),  # the reader keeps ASCII only
    ]
    assert [box for one in found for box in one["bbox"]] == [
        [0, 1, 11, 19],
        [20, 0, 39, 29],
        [0, 1, 11, 19],
        [20, 0, 39, 29],
        [0, 0, 39, 29],
    ]
    assert first["prefix"] == "<CAPTION_TO_PHRASE_GROUNDING>" + records[0].captions[0].text
    assert second["image"] == "día/犬 1.jpg"


@given(st.tuples(st.integers(0, 6999), st.integers(1, 7000)).filter(lambda ends: ends[0] < ends[1]))
def test_location_tokens_are_those_of_transformers(ends):
    box = Box(ends[0] / 10, 3, ends[1] / 10, 90)
    reader = Florence2PostProcessor(config=None, tokenizer=SimpleNamespace(all_special_tokens=[]))
    expected = reader.quantize(torch.tensor([list(box)], dtype=torch.float64), (700, 90))[0].tolist()
    assert location(box, 700, 90) == "".join(f"<loc_{number}>" for number in expected)


def test_a_phrase_that_looks_like_a_token_is_left_out_of_florence2(records, tmp_path):
    caption = GroundedCaption("<b> dog", (Phrase("<b>", (0, 3), Box(0, 0, 4, 4), 1, 1),))
    written, rows = exported([replace(records[0], captions=(caption,))], tmp_path / "x.jsonl", "florence2")
    assert (written, rows) == (Written(0, 0, 1), [])


@pytest.mark.parametrize(
    ("name", "boxes"),
    [
        ("qwen", [[0, 1, 11, 20], [20, 0, 40, 30], [0, 1, 11, 20], [20, 0, 40, 30], [0, 0, 40, 30]]),
        ("qwen-1000", [[0, 33, 275, 667], [503, 0, 1000, 1000], [0, 33, 275, 667], [503, 0, 1000, 1000]]),
    ],
)
def test_qwen(records, tmp_path, name, boxes):
    written, (first, second) = exported(records, tmp_path / "x.jsonl", name)
    assert written == Written(captions=2, phrases=6, dropped=1)
    asked, answer = first["conversations"]
    assert (asked["from"], answer["from"]) == ("human", "gpt")
    assert re.split("(<image>|<video>)", asked["value"])[:2] == ["", "<image>"]
    found = json.loads(answer["value"])
    assert [one["bbox_2d"] for one in found][: len(boxes)] == boxes
    assert [one["label"] for one in found] == ["a dog", "a dog", "zwei Hunde", "zwei Hunde", "犬"]
    assert (first["image"], first["width"], first["height"]) == ("two dogs.png", 40, 30)
    assert second["image"] == "día/犬 1.jpg"


def test_qwen_has_one_image_tag_whatever_the_caption_says(records, tmp_path):
    caption = GroundedCaption("<image> of <video>", (Phrase("<image>", (0, 7), Box(0, 0, 4, 4), 1, 1),))
    _, (line,) = exported([replace(records[0], captions=(caption,))], tmp_path / "x.jsonl", "qwen")
    assert len(re.findall("<image>|<video>", line["conversations"][0]["value"])) == 1
    assert json.loads(line["conversations"][1]["value"])[0]["label"] == "<image>"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_qwen_boxes_are_whole_and_near(records, tmp_path, data):
    width, height = data.draw(st.integers(1, 3000)), data.draw(st.integers(1, 3000))
    ends = st.lists(st.floats(0, 1), min_size=2, max_size=2).filter(lambda two: abs(two[0] - two[1]) > 0.01)
    (x1, x2), (y1, y2) = sorted(data.draw(ends)), sorted(data.draw(ends))
    box = Box(x1 * width, y1 * height, x2 * width, y2 * height)
    caption = GroundedCaption("dog", (Phrase("dog", (0, 3), box, 1, 1),))
    record = replace(records[0], width=width, height=height, captions=(caption,))
    for name, (across, down) in {"qwen": (width, height), "qwen-1000": (1000, 1000)}.items():
        written, rows = exported([record], tmp_path / f"{name}.jsonl", name)
        if not written.phrases:
            continue
        a, b, c, d = json.loads(rows[0]["conversations"][1]["value"])[0]["bbox_2d"]
        assert 0 <= a < c <= across
        assert 0 <= b < d <= down
        for number, side, share in ((a, across, x1), (c, across, x2), (b, down, y1), (d, down, y2)):
            assert abs(number - share * side) <= 1 + 0.01 * side / min(width, height)


def test_sa_co(records, tmp_path):
    path = tmp_path / "x.json"
    assert write_target(path, records, "sa-co") == Written(captions=3, phrases=6, dropped=1)
    data = json.loads(path.read_text(encoding="utf-8"))
    own = {image["id"]: [] for image in data["images"]}
    for annotation in data["annotations"]:
        own[annotation["image_id"]].append(annotation)
    assert len(own) == len(data["images"])
    found = [(image["file_name"], image["text_input"], len(own[image["id"]])) for image in data["images"]]
    assert found == [
        ("two dogs.png", "a dog", 2),
        ("two dogs.png", "zwei Hunde", 2),
        ("two dogs.png", "犬", 1),
        ("día/犬 1.jpg", "a dog", 1),
    ]
    assert {image["is_instance_exhaustive"] for image in data["images"]} == {0}
    assert data["images"][0]["queried_category"] == data["images"][3]["queried_category"]
    x, y, width, height = data["annotations"][-1]["bbox"]
    assert [x, y, width, height] == pytest.approx([0.1, 0.1, 0.8, 0.85])
    assert data["annotations"][-1]["area"] == pytest.approx(0.68)
    assert {annotation["category_id"] for annotation in data["annotations"]} == {data["categories"][0]["id"]}


def test_sa_co_without_the_size_of_a_picture_is_left_out(sort_out, tmp_path):
    (tmp_path / "a.jpg").touch()
    image = {"id": 1, "file_name": "a.jpg", "text_input": "a dog"}
    boxes = [{"id": 1, "image_id": 1, "bbox": [0.1, 0.1, 0.5, 0.5]}]
    path = tmp_path / "x.json"
    for size, known in (({}, False), ({"width": 0, "height": 9}, False), ({"width": 20, "height": 10}, True)):
        path.write_text(json.dumps({"images": [image | size], "annotations": boxes}))
        got = sort_out(read_source(path, "sa-co"))
        assert bool(got.examples) == known
        assert not known or got.examples["a.jpg"].captions[0].phrases[0].boxes == (Box(2, 1, 12, 6),)
        assert known or "no width and height" in got.skipped["a.jpg"]


def test_sa_co_has_a_phrase_of_several_captions_once(records, tmp_path):
    captions = tuple(
        GroundedCaption(text, (Phrase(text, (0, 5), box, 1, 1),))
        for text, box in [("A dog", Box(0, 0, 8, 8)), ("a dog", Box(0, 0, 8, 8)), ("a dog", Box(9, 9, 12, 12))]
    )
    write_target(tmp_path / "x.json", [replace(records[0], captions=captions)], "sa-co")
    data = json.loads((tmp_path / "x.json").read_text())
    assert [image["text_input"] for image in data["images"]] == ["A dog"]
    assert len(data["annotations"]) == 2

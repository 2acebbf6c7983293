"""JSON of pictures and captions as other tools write it."""

from __future__ import annotations

import json

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import detect, json_records, read_source

TURNS = [{"from": "human", "value": "<image>\nDescribe."}, {"from": "gpt", "value": "A ball"}]
MESSAGES = [{"role": "user", "content": "<image>Describe."}, {"role": "assistant", "content": "A ball"}]


def lines(*rows):
    return "\n".join(map(json.dumps, rows)) + "\n"


@pytest.mark.parametrize(
    ("name", "content", "captions"),
    [
        ("blip.json", [{"image": "a.jpg", "caption": "A ball", "image_id": "1"}], ["A ball"]),
        ("blip_test.json", [{"image": "a.jpg", "caption": ["one", "two"]}], ["one", "two"]),
        ("results.json", [{"image_id": 1, "caption": "A ball"}], ["A ball"]),
        ("raw.json", [{"file_path": "a.jpg", "captions": ["one", "two"]}], ["one", "two"]),
        ("vis.json", [{"image_id": "9", "file_name": "a.jpg", "caption": "A ball"}], ["A ball"]),
        ("llava.json", [{"id": "1", "image": "a.jpg", "conversations": TURNS}], ["A ball"]),
        ("chat.jsonl", lines({"id": "1", "image": "a.jpg", "conversations": TURNS}), ["A ball"]),
        ("swift.jsonl", lines({"images": ["a.jpg"], "messages": MESSAGES}), ["A ball"]),
        ("pairs.jsonl", lines({"image": "a.jpg", "caption": "A ball"}), ["A ball"]),
        ("pairs.json", lines({"image": "a.jpg", "text": "one"}, {"image": "a.jpg", "text": "two"}), ["one", "two"]),
        ("pairs.ndjson", lines({"img": "a.jpg", "sentences": [{"raw": "one"}, {"raw": "two"}]}), ["one", "two"]),
        ("referring.json", [{"image": "a.jpg", "sentences": [{"sent": "one"}, {"sent": "two"}]}], ["one", "two"]),
        ("docci.jsonlines", lines({"image_file": "a.jpg", "description": "A ball"}), ["A ball"]),
        ("lists.json", [["a.jpg", "A ball"]], ["A ball"]),
        ("lists.jsonl", lines(["a.jpg", "one"], ["a.jpg", "two"]), ["one", "two"]),
        ("mapped.json", {"a.jpg": "A ball"}, ["A ball"]),
        ("mapped_lists.json", {"a.jpg": ["one", "two"]}, ["one", "two"]),
        ("meta_cap.json", {"a.jpg": {"caption": "A ball", "tags": "red"}}, ["A ball"]),
        ("inside.json", {"info": {"description": "x"}, "data": [{"image": "a.jpg", "caption": "A ball"}]}, ["A ball"]),
        ("viewer.json", {"features": [], "rows": [{"row": {"image": {"src": "a.jpg"}, "text": "A ball"}}]}, ["A ball"]),
        ("numbered.json", [{"image": "a.jpg", "caption_1": "one", "caption_2": "two"}], ["one", "two"]),
        ("entities.json", [{"image": "a.jpg", "caption": "a cat &amp; a dog"}], ["a cat & a dog"]),
    ],
)
def test_what_others_write(tmp_path, sort_out, name, content, captions):
    (tmp_path / "1.jpg").touch()
    (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    for source in (tmp_path / name, tmp_path):
        assert detect(source) == "json"
        got = sort_out(read_source(source))
        (example,) = got.examples.values()
        assert (example.key, [caption.text for caption in example.captions]) == (
            "1.jpg" if name == "results.json" else "a.jpg",
            captions,
        )


def test_names_without_a_suffix(tmp_path, sort_out):
    (tmp_path / "a.png").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.webp").touch()
    about = {"a": {"caption": "A ball", "tags": "red"}, "in/b": {"caption": "A cup"}}
    (tmp_path / "meta_cap.json").write_text(json.dumps({"info": {"description": "x"}} | about))
    got = sort_out(read_source(tmp_path / "meta_cap.json"))
    assert {key: [caption.text for caption in example.captions] for key, example in got.examples.items()} == {
        "a.png": ["A ball"],
        "in/b.webp": ["A cup"],
    }


def test_utf16_and_a_mark(tmp_path, sort_out):
    for encoding in ("utf-16", "utf-8-sig"):
        (tmp_path / "a.json").write_text('[{"image": "a.jpg", "caption": "犬"}]', encoding=encoding)
        (example,) = sort_out(read_source(tmp_path / "a.json")).examples.values()
        assert example.captions[0].text == "犬"


def test_keys_that_are_named(tmp_path, sort_out):
    rows = [{"photo": "a.jpg", "title": "A ball"}, {"photo": "b.jpg"}, {"title": "of nothing"}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=r"the keys photo, title; .*--columns"):
        detect(tmp_path / "a.json")
    got = sort_out(read_source(tmp_path / "a.json", columns="photo,title"))
    assert {key: len(example.captions) for key, example in got.examples.items()} == {"a.jpg": 1, "b.jpg": 0}
    assert got.skipped == {"a.json[2]": "it has no photo"}


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "x", "version": "1"}',
        '{"features": {"caption": {"dtype": "string"}}}',
        "[1, 2]",
        '{"caption": "A ball", "key": "000000001", "sha256": "0a"}',
        "[]",
        "{}",
        "true",
        "[" * 10_000,
        "nothing",
    ],
)
def test_other_json_is_left_alone(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert not json_records.recognises(tmp_path / "a.json")


def test_several_turns_are_told(tmp_path, sort_out):
    (tmp_path / "a.json").write_text(json.dumps([{"image": "a.jpg", "conversations": TURNS * 2}]))
    items = list(json_records.read(tmp_path / "a.json"))
    assert sort_out(items).examples["a.jpg"].captions[0].text == "A ball"
    assert "several turns" in items[0].text

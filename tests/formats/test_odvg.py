from __future__ import annotations

import json

from phrasebox.formats import _lines, odvg
from phrasebox.formats._writing import Written
from phrasebox.types import Box


def test_one_caption_a_line(records, tmp_path):
    path = tmp_path / "out" / "odvg.jsonl"
    assert odvg.write(path, records) == Written(captions=3, phrases=6, dropped=1)
    text = path.read_text(encoding="utf-8")
    assert "犬" in text
    first, bare, second = (json.loads(line) for line in text.splitlines())
    left, right = [0.0, 1.0, 11.0, 20.0], [20.12, 0.0, 40.0, 30.0]
    assert first == {
        "filename": "two dogs.png",
        "height": 30,
        "width": 40,
        "grounding": {
            "caption": "a dog beside a dog, zwei Hunde – 犬",
            "regions": [
                {"bbox": left, "phrase": "a dog", "tokens_positive": [[0, 5]]},
                {"bbox": right, "phrase": "a dog", "tokens_positive": [[13, 18]]},
                {"bbox": [left, right], "phrase": "zwei Hunde", "tokens_positive": [[20, 30]]},
                {"bbox": [0.0, 0.0, 40.0, 30.0], "phrase": "犬", "tokens_positive": [[33, 34]]},
            ],
        },
    }
    assert bare["grounding"] == {"caption": "nothing found here", "regions": []}
    assert second["filename"] == "día/犬 1.jpg"


def test_lines_of_one_image_are_one_image(tmp_path, sort_out):
    def line(name: str, caption: str, *regions: dict, **more) -> str:
        value = {"filename": name, "width": 40, "height": 30, "grounding": {"caption": caption, "regions": regions}}
        return json.dumps(value | more, ensure_ascii=False)

    caption = "a dog beside A DOG 犬"
    text = [
        line(
            "a ü.jpg", caption, {"phrase": "a dog", "bbox": [[0, 0, 9, 9], [1, 1, 5, 5]], "tokens_positive": [[0, 5]]}
        ),
        '{"filename": "b.jpg", "detection": {"instances": [{"bbox": [0, 0, 4, 4], "label": 0, "category": "dog"}]}}',
        line(
            "a ü.jpg",
            caption,
            {"phrase": "犬", "bbox": [0, 0, 9, 9]},
            {"phrase": "A DOG", "bbox": [2, 2, 3, 3]},
            {"phrase": "no box", "bbox": [], "tokens_positive": [[6, 12]]},
            {"phrase": "pieces", "bbox": [0, 0, 1, 1], "tokens_positive": [[0, 1], [2, 5]]},
            {"phrase": "a cat", "bbox": [0, 0, 1, 1]},
            {"phrase": "x", "bbox": [0, 0, 1, 1], "tokens_positive": [[3, 99]]},
            {"phrase": "a dog", "bbox": [5, 5, 1, 1]},
            {"phrase": "a dog", "bbox": ["a", None]},
        ),
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(text), encoding="utf-8")
    got = sort_out(odvg.read(path))
    first, second = got.examples["a ü.jpg"], got.examples["b.jpg"]
    assert [(p.text, p.span, len(p.boxes)) for p in first.captions[0].phrases] == [("a dog", (0, 5), 2)]
    assert [(p.text, p.span, len(p.boxes)) for p in first.captions[1].phrases] == [
        ("犬", (19, 20), 1),
        ("A DOG", (13, 18), 1),
        ("beside", (6, 12), 0),
        ("a dog", (0, 5), 1),
    ]
    assert (second.boxes, second.captions) == ((Box(0, 0, 4, 4),), ())
    assert set(got.skipped) == {"a ü.jpg#1"}


def test_bad_lines_are_reported(tmp_path, sort_out, monkeypatch):
    monkeypatch.setattr(_lines, "LONGEST", 1 << 16)
    good = '{"filename": "%s", "grounding": {"caption": "a dog", "regions": []}}'
    rows = [
        "\ufeff" + good % "a.jpg",
        '{"filename": "b.jpg" "grounding"}',
        "[1]",
        '{"filename": "c.jpg"}',
        '{"grounding": {}}',
        good % "../d.jpg",
        good % "/etc/e.jpg",
        '{"filename":' * 30_000,
        '{"filename": "' + "x" * (1 << 18) + '"}',
        '{"filename": "f.jpg", "grounding": {"caption": "half \\ud83d", "regions": 5}}',
        '{"filename": "g.jpg", "grounding": {"caption": 7}}',
        '{"filename": "h.jpg", "width": ' + "9" * 5000 + "}",
        good % "last.jpg",
    ]
    path = tmp_path / "x.jsonl"
    path.write_bytes("\n".join(rows).encode() + b'\n{"filename": "\xff"}\n')
    got = sort_out(odvg.read(path))
    assert {key for key, example in got.examples.items() if example.captions} == {"a.jpg", "last.jpg"}
    expected = {
        "x.jsonl:2": "not valid JSON at column 22",
        "x.jsonl:3": "not a JSON object",
        "x.jsonl:4": "no grounding",
        "x.jsonl:5": "no filename",
        "x.jsonl:8": "longer than",
        "x.jsonl:9": "longer than",
        "x.jsonl:12": "Exceeds the limit",
        "x.jsonl:14": "not UTF-8",
        "../d.jpg": "leaves its folder",
        "/etc/e.jpg": "leaves its folder",
        "f.jpg#0": "not valid Unicode",
        "g.jpg#0": "not text",
    }
    assert got.skipped.keys() == expected.keys()
    assert all(part in got.skipped[key] for key, part in expected.items())


def test_deep_nesting_is_one_line_too(tmp_path, sort_out):
    (tmp_path / "x.jsonl").write_text('{"filename": ' + "[" * 100_000 + "\n")
    assert "nested too deeply" in sort_out(odvg.read(tmp_path / "x.jsonl")).skipped["x.jsonl:1"]

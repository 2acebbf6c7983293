from __future__ import annotations

import json

from phrasebox.formats import odvg
from phrasebox.formats.writing import Written


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

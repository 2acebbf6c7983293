from __future__ import annotations

import pytest

from phrasebox.errors import DataError
from phrasebox.formats import detect, visual_genome
from phrasebox.types import Box


def region(phrase: object, x: object = 1, y: int = 2, width: int = 3, height: int = 4) -> dict:
    return {"region_id": 5, "image_id": 1, "phrase": phrase, "x": x, "y": y, "width": width, "height": height}


def test_every_phrase_is_a_caption_about_its_box(write_json, sort_out, tmp_path):
    (tmp_path / "VG_100K_2").mkdir()
    (tmp_path / "VG_100K_2" / "2.jpg").touch()
    entries = [
        {"id": 1, "regions": [region("the clock is green "), region("the clock is green ", 9), region("")]},
        {"id": 2, "regions": [region("犬", "x"), region(None), "no object"]},
        {"id": 1, "regions": []},
        {"regions": []},
        {"id": 3},
    ]
    path = write_json(entries, "region_descriptions.json")
    assert detect(path) == detect(tmp_path) == "visual-genome"
    got = sort_out(visual_genome.read(path))
    assert list(got.examples) == ["1.jpg", "VG_100K_2/2.jpg", "3.jpg"]
    first, second = got.examples["1.jpg"].captions
    assert first.text == second.text == "the clock is green "
    assert (first.phrases[0].span, first.phrases[0].boxes) == ((0, 18), (Box(1, 2, 4, 6),))
    assert second.phrases[0].boxes == (Box(9, 2, 12, 6),)
    assert got.examples["VG_100K_2/2.jpg"].captions[0].phrases[0].boxes == ()
    assert set(got.skipped) == {
        "1.jpg#2",
        "VG_100K_2/2.jpg#0",
        "VG_100K_2/2.jpg#1",
        "1.jpg",
        "region_descriptions.json: entry 3",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "expected a JSON array"),
        ("", "expected a JSON array"),
        ('[{"id": 1,\n}]', "line 2, column 1"),
        ("[1] x", "extra data"),
    ],
)
def test_other_files(write_json, text, reason):
    with pytest.raises(DataError, match=reason):
        list(visual_genome.read(write_json(text)))

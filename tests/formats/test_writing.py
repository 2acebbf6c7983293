from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.formats import write_target
from phrasebox.formats._writing import FittedRecords, Written, fit_box, xywh
from phrasebox.types import Box, GroundedCaption, GroundedImage, Phrase

numbers = st.floats(-50, 250, width=32)
sides = st.floats(0.001, 300)


@given(x=numbers, y=numbers, w=sides, h=sides, width=st.integers(1, 200), height=st.integers(1, 200))
def test_a_fitted_box_is_inside_and_near(x, y, w, h, width, height):
    box = Box(x, y, x + w, y + h)
    fitted = fit_box(box, width, height)
    inside = min(box.x2, width) - max(box.x1, 0), min(box.y2, height) - max(box.y1, 0)
    if fitted is None:
        assert min(inside) <= 0.011
        return
    assert 0 <= fitted.x1 < fitted.x2 <= width
    assert 0 <= fitted.y1 < fitted.y2 <= height
    assert fitted.width == pytest.approx(inside[0], abs=0.011)
    assert fitted.height == pytest.approx(inside[1], abs=0.011)
    assert all(value == round(value, 2) for value in (*fitted, *xywh(fitted)))


def test_counts(records):
    fitted = FittedRecords(records)
    kept = [len(caption.phrases) for record in fitted for caption in record.captions]
    assert kept == [5, 0, 1]
    assert fitted.report() == Written(captions=3, phrases=6, dropped=1)


DOGS = Phrase("dogs", (0, 4), Box(0, 0, 4, 8), 0.5, 0.25, further=(Box(6, 1, 9, 9), Box(90, 90, 95, 95)))


def dogs(*phrases):
    return [GroundedImage("1.jpg", Path("/pictures/1.jpg"), "train", 20, 10, (GroundedCaption("dogs", phrases),))]


@pytest.mark.parametrize(
    "format",
    ["odvg", "kosmos", "coco-grounding", "coco-detection", "visual-genome", "entities", "fiftyone", "label-studio"],
)
def test_several_boxes_are_written_like_as_many_phrases_of_the_same_words(format, tmp_path):
    written = [
        write_target(tmp_path / name, dogs(*phrases), format) for name, phrases in (("a", [DOGS]), ("b", DOGS.pairs()))
    ]
    assert written[0] == written[1] == Written(captions=1, phrases=2, dropped=1)  # one box is outside the picture
    files = [
        {
            file.relative_to(root): file.read_bytes()
            for file in (root.rglob("*") if root.is_dir() else [root])
            if file.is_file()
        }
        for root in (tmp_path / "a", tmp_path / "b")
    ]
    assert list(files[0].values()) == list(files[1].values())
    assert files[0]


def test_odvg_lists_the_boxes_of_a_phrase(tmp_path):
    write_target(tmp_path / "a", dogs(DOGS), "odvg")
    assert '"bbox": [[0.0, 0.0, 4.0, 8.0], [6.0, 1.0, 9.0, 9.0]]' in (tmp_path / "a").read_text()

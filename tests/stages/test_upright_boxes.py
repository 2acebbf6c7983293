from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phrasebox.io.images import load_image, size_and_orientation
from phrasebox.stages.import_ import import_source
from phrasebox.stages.upright_boxes import doubt, is_unsure, upright
from phrasebox.types import Box, Caption, Example, TruePhrase
from phrasebox.workspace.workspace import Workspace

BOX = Box(2, 1, 8, 4)  # of the stored image, 20 x 10


@pytest.fixture
def stored(tmp_path):
    def write(orientation):
        pixels = np.zeros((10, 20, 3), np.uint8)
        pixels[1:4, 2:8] = 255
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
        return tmp_path / "a.png"

    return write


def example(image, size=None, box=BOX):
    caption = Caption("a box", (TruePhrase("a box", (0, 5), (box,)),))
    return Example("a.png", image, (caption, Caption("no box")), boxes=(box,), size=size)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_of_the_stored_image_are_turned_with_it(orientation, stored):
    file = stored(orientation)
    size, found = size_and_orientation(file)
    assert (size, found) == ((10, 20), orientation)
    turned = upright(example(file, (20, 10)), size, orientation)
    assert turned.size == (10, 20)
    (box,) = turned.boxes
    assert turned.captions[0].phrases[0].boxes == (box,)
    x1, y1, x2, y2 = map(int, box)
    white = load_image(file)[:, :, 0] == 255
    assert white[y1:y2, x1:x2].all()
    assert white.sum() == (x2 - x1) * (y2 - y1)


def test_boxes_without_a_size_are_turned_where_they_fit_the_stored_image_alone():
    wide = Box(2, 1, 18, 4)
    assert upright(example(Path("a.png"), box=wide), (10, 20), 6).boxes == (Box(6, 2, 9, 18),)


@pytest.mark.parametrize(
    ("size", "of", "orientation"),
    [((10, 20), (10, 20), 6), ((20, 10), (20, 10), 3), (None, (10, 20), 6), ((20, 10), (20, 10), 1)],
)
def test_other_boxes_stay(size, of, orientation):
    given = example(Path("a.png"), size)
    assert upright(given, of, orientation) is given


WIDE = Box(2, 1, 18, 4)  # outside of the upright image


@pytest.mark.parametrize(
    ("given", "of", "orientation", "unsure"),
    [
        (example(Path("a.png")), (20, 10), 3, True),
        (example(Path("a.png"), (20, 10)), (20, 10), 2, True),  # its size is the same both ways
        (example(Path("a.png"), (20, 20)), (20, 20), 6, True),
        (example(Path("a.png")), (10, 20), 6, True),  # inside both
        (example(Path("a.png"), box=WIDE), (10, 20), 6, False),
        (example(Path("a.png"), (20, 10)), (10, 20), 6, False),
        (example(Path("a.png"), (10, 20)), (10, 20), 6, False),
        (example(Path("a.png")), (20, 10), 1, False),
        (Example("a.png", Path("a.png"), (Caption("no box"),)), (20, 10), 3, False),
    ],
)
def test_what_the_numbers_do_not_tell(given, of, orientation, unsure):
    assert is_unsure(given, of, orientation) is unsure


def test_import_tells_of_it(stored, tmp_path):
    stored(3)
    (tmp_path / "boxes.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.png", "width": 20, "height": 10}],
                "annotations": [{"image_id": 1, "bbox": [2, 1, 6, 3]}],
            }
        )
    )
    found = import_source(Workspace.create(tmp_path / "ws"), tmp_path / "boxes.json", quiet=True)
    assert [
        remark for remark in found.remarked() if "turned by EXIF" in remark and "taken to be of the upright" in remark
    ]


@pytest.mark.parametrize(
    ("box", "size", "told"),
    [
        (Box(0.1, 0.1, 0.5, 0.9), None, "all from 0 to 1"),
        (Box(0, 0, 1, 1), (1, 1), "all from 0 to 1"),
        (Box(5, 5, 25, 9), None, "reach beyond"),
        (Box(5, 5, 20.3, 10.2), None, ""),
        (Box(0, 0, 20, 10), (20, 10), ""),
    ],
)
def test_boxes_that_may_be_something_else_are_told(box, size, told):
    given = example(Path("a.png"), size, box)
    found = doubt(given, upright(given, (20, 10), 1), (20, 10), 1)
    assert told in found
    assert bool(told) == bool(found)


def test_true_boxes_are_of_the_size_that_is_stated():
    given = replace(example(Path("a.png"), (200, 100), Box(0, 0, 150, 90)), boxes=())
    assert doubt(given, given, (20, 10), 1) == ""
    assert "reach beyond" in doubt(replace(given, size=None), replace(given, size=None), (20, 10), 1)


def test_an_import_tells_of_such_boxes(tmp_path, call):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    image = {"id": 1, "file_name": "a.png", "width": 64, "height": 48}
    note = {"id": 1, "image_id": 1, "caption": "A dog", "category_id": 1, "bbox": [30, 30, 60, 46]}
    (tmp_path / "coco.json").write_text(json.dumps({"images": [image], "annotations": [note]}))
    assert "COCO: x, y, width, height" in " ".join(call("import", tmp_path / "coco.json", tmp_path / "ws").err.split())

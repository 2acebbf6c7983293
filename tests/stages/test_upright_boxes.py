from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phrasebox.io.images import load_image, size_and_orientation
from phrasebox.stages.upright_boxes import upright
from phrasebox.types import Box, Caption, Example, TruePhrase

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

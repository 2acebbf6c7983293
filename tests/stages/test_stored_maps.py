"""Maps in a file: large pictures are not read together."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import numpy as np
from PIL import Image

from phrasebox.captioner import DescribedRegion, Description
from phrasebox.stages.describe import DescribeMapper
from phrasebox.stages.stored_maps import stored_maps
from phrasebox.types import Box, Example


def test_large_pictures_are_not_read_together(tmp_path, monkeypatch):
    monkeypatch.setattr("phrasebox.pipeline.prefetch.MEMORY", 100)
    lock, now, most = threading.Lock(), [0], [0]

    def pixels(number):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.005)
        with lock:
            now[0] -= 1
        return np.full((2, 2, 3), number, np.uint8)

    made = stored_maps(
        tmp_path / "maps", (12, 12), pixels, lambda pixels: pixels.reshape(-1, 12), "maps", 6, True, lambda number: 80
    )
    assert made[:, 0].tolist() == list(range(12))
    assert most[0] <= 2  # the one that is asked for, and one more, of six threads


def test_boxes_of_a_description_are_those_of_the_whole_picture(tmp_path, monkeypatch):
    monkeypatch.setattr("phrasebox.stages.describe.ENOUGH", 10)
    Image.new("RGB", (80, 40)).save(tmp_path / "a.jpg")
    seen = []

    def describe_many(images, regions, speech):
        seen.extend(image.shape for image in images)
        told = DescribedRegion("a dog", Box(1, 2, 3, 4), 0.5, ("a dog",))
        return [Description("a dog", 0.5, ("a dog",), (told,), 20, 10)]

    mapper = DescribeMapper(SimpleNamespace(device="cpu", describe_many=describe_many), 8, None)
    (line,) = mapper([mapper.load(Example("a.jpg", tmp_path / "a.jpg"))]).rows
    found = json.loads(line)
    assert seen == [(10, 20, 3)]
    assert (found["image"], found["width"], found["height"]) == ("a.jpg", 80, 40)
    assert found["regions"][0]["box"] == [4, 8, 12, 16]


def test_what_describing_a_picture_takes_is_known_from_its_header(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    mapper = DescribeMapper(SimpleNamespace(device="cpu"), 8, None)
    expected = [mapper.expect(Example(name, tmp_path / name)) for name in ("a.png", "b.png")]
    assert expected == [7 * 30 * 20, 0]

"""Maps in a file: large pictures are not read together."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
from PIL import Image

from phrasebox.stages.describe import DescribeMapper
from phrasebox.stages.stored_maps import stored_maps
from phrasebox.types import Example


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


def test_what_describing_a_picture_takes_is_known_from_its_header(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    mapper = DescribeMapper(SimpleNamespace(device="cpu"), 8, None)
    expected = [mapper.expect(Example(name, tmp_path / name)) for name in ("a.png", "b.png")]
    assert expected == [7 * 30 * 20, 0]

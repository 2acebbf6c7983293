from __future__ import annotations

import pytest
from PIL import Image

from phrasebox.errors import SettingsError
from phrasebox.show import Panel, curves

PANELS = [
    Panel("loss (nats)", {"train": [3.0, 2.0, 1.5], "validation": [2.9, float("nan"), 1.8]}),
    Panel("Recall@1 (%)", {"image to sentence": [5.0, 12.0, 18.0]}),
]


def test_curves_are_one_png_with_the_panels_side_by_side(tmp_path):
    curves(PANELS, tmp_path / "two.png")
    curves(PANELS[:1], tmp_path / "one.png")
    with Image.open(tmp_path / "two.png") as two, Image.open(tmp_path / "one.png") as one:
        assert two.format == "PNG"
        assert two.width == 2 * one.width
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]


def test_same_log_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        curves(PANELS, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_one_epoch_is_visible(tmp_path):
    curves([Panel("loss", {"train": [3.0]})], tmp_path / "dot.png")
    with Image.open(tmp_path / "dot.png") as picture:
        assert (0, 114, 178) in {color for _, color in picture.convert("RGB").getcolors(1 << 20)}


def test_nothing_to_draw_is_said():
    with pytest.raises(SettingsError, match="at least one epoch"):
        Panel("loss", {"train": []})
    with pytest.raises(SettingsError, match="at least one panel"):
        curves([], None)

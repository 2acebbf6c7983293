"""Text of every script: characters go to a font that has them, bitmap fonts of one size are scaled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from phrasebox.show import fonts
from phrasebox.show.fonts import draw_text, text_width

CAT, STRIKE = "🐈", 20


class StrikeFont:
    """A colour bitmap font as Pillow opens it: all its characters are green squares of one size."""

    def getlength(self, text: str) -> float:
        return 1.2 * STRIKE * len(text)

    def getbbox(self, text: str, anchor: str) -> tuple[float, float, float, float]:
        return 0, -0.8 * STRIKE, self.getlength(text), 0.2 * STRIKE


@pytest.fixture
def emoji(monkeypatch):
    """The only system font, which has the cat in one size."""
    path, opened, text = Path("/emoji.ttf"), ImageFont.truetype, ImageDraw.ImageDraw.text
    known = fonts._characters

    def truetype(file, size):
        if file != path:
            return opened(file, size)
        if size != STRIKE:
            raise OSError("invalid pixel size")
        return StrikeFont()

    def drawn(pen, place, run, *arguments, font=None, **options):
        if isinstance(font, StrikeFont):
            pen.rectangle((0, 0, font.getlength(run), STRIKE), "#00ff00")
        else:
            text(pen, place, run, *arguments, font=font, **options)

    for name in ("_font", "_strike", "_covering"):
        getattr(fonts, name).cache_clear()
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [str(path)])
    monkeypatch.setattr(fonts, "_characters", lambda file: frozenset([ord(CAT)]) if file == path else known(file))
    monkeypatch.setattr(ImageFont, "truetype", truetype)
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", drawn)
    yield
    for name in ("_font", "_strike", "_covering"):
        getattr(fonts, name).cache_clear()


def test_plain_text_is_set_in_the_packaged_font():
    text = "grün, Ελλάδα, Москва"
    assert fonts._runs(text, bold=False) == [(text, fonts._packaged(bold=False))]
    assert fonts._packaged(bold=True).name == "DejaVuSans-Bold.ttf"


@pytest.mark.parametrize("size", [10, 40])
@pytest.mark.parametrize("anchor", ["la", "lm", "ls"])
def test_emoji_of_one_size_are_scaled_between_the_letters(emoji, size, anchor):
    around, square = text_width("a ", size), text_width(CAT, size)
    assert square == pytest.approx(1.2 * size)
    assert text_width(f"a {CAT} b", size) == pytest.approx(around + square + text_width(" b", size))
    picture = Image.new("RGB", (200, 120), "white")
    draw_text(picture, (5, 60), f"a {CAT} b", "#ff0000", size, anchor=anchor)
    pixels = np.asarray(picture).astype(int)
    green = np.argwhere((pixels[..., 1] > 200) & (pixels[..., 0] < 60))
    assert np.ptp(green[:, 0]) == pytest.approx(size, abs=2)
    assert np.ptp(green[:, 1]) == pytest.approx(square, abs=2)
    assert green[:, 1].min() == pytest.approx(5 + around, abs=2)
    red = np.argwhere((pixels[..., 0] > 200) & (pixels[..., 1] < 60))[:, 1]
    assert red.min() < green[:, 1].min(), "letters stand on both sides"
    assert red.max() > green[:, 1].max(), "letters stand on both sides"


def test_characters_that_no_font_has_are_drawn_all_the_same(emoji):
    picture = Image.new("RGB", (200, 60), "white")
    draw_text(picture, (5, 5), "\U0010ffff", "#ff0000", 20)
    assert np.asarray(picture).min() < 100


@pytest.mark.parametrize("text", ["A dog 🐕 on\nthe\tgrass\x00", "\ud83d lone", "𓀀 𝄞 ꦲ 󰀀", "👩‍👩‍👧‍👦 🏳️‍🌈 ☃️"])
def test_no_text_stops_a_drawing(text):
    picture = Image.new("RGB", (300, 40), "white")
    for size in (7, 13, 40):
        draw_text(picture, (2, 2), text, "black", size)
        assert text_width(text, size) > 0
    assert np.asarray(picture).min() < 255


def test_a_font_that_cannot_be_opened_at_a_size_is_replaced(monkeypatch):
    real = fonts.ImageFont.truetype

    def only_small(path, size, *more):
        if size > 12 and "DejaVu" not in str(path):
            raise OSError("invalid pixel size")
        return real(path, size, *more)

    monkeypatch.setattr(fonts.ImageFont, "truetype", only_small)
    monkeypatch.setattr(fonts, "_covering", lambda missing: Path("/no/such/font.ttf"))
    monkeypatch.setattr(fonts, "_strike", lambda path: None)
    fonts._font.cache_clear()
    picture = Image.new("RGB", (300, 40), "white")
    draw_text(picture, (2, 2), "A dog 🐕", "black", 20)
    assert np.asarray(picture).min() < 255


def test_runs_of_an_arabic_line_stand_from_right_to_left(emoji):
    if not fonts._shapes():
        pytest.skip("this Pillow does not shape")
    (first, _), (second, _) = fonts._runs(f"كلب {CAT}", bold=False)
    assert (first, second) == (CAT, "كلب ")
    assert [run for run, _ in fonts._runs(f"a {CAT} b", bold=False)] == ["a ", CAT, " b"]
    assert next(run for run, _ in fonts._runs(f"a كلب {CAT} كرة", bold=False)).startswith("a ")


def test_arabic_is_joined_from_right_to_left():
    """What Pillow draws of a word is not its letters one by one."""
    if not fonts._shapes():
        pytest.skip("this Pillow does not shape")
    word = "كلب"
    assert text_width(word, 20) < sum(text_width(letter, 20) for letter in word)


def test_without_shaping_by_pillow_packages_do_it_or_nothing_is_changed(monkeypatch):
    monkeypatch.setattr(fonts, "_shapes", lambda: False)
    word = "كلب"
    try:
        import arabic_reshaper  # noqa: F401
        import bidi  # noqa: F401
    except ImportError:
        assert fonts._drawable(word) == word
    else:
        drawn = fonts._drawable(word)
        assert drawn != word
        assert drawn[-1] == "\ufedb"  # the first letter, in its initial form, at the right
    monkeypatch.setitem(__import__("sys").modules, "arabic_reshaper", None)
    assert fonts._drawable(word) == word

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageColor

from phrasebox.errors import DataError, SettingsError
from phrasebox.io.colours import colour
from phrasebox.show import draw_grounding


def close_to(picture: np.ndarray, fill: str) -> np.ndarray:
    """Where a picture (H, W, 3) has a colour, as (H, W) bool."""
    return np.abs(picture.astype(int) - ImageColor.getrgb(fill)).max(2) <= 4


@pytest.fixture
def grey() -> np.ndarray:
    return np.full((300, 451, 3), 128, np.uint8)


def test_boxes_stand_where_the_phrases_boxes_are(grey, cat):
    figure = np.asarray(draw_grounding(grey, cat, width=960))
    scale, margin = 920 / 451, 20
    for i in (0, 1):
        x1, y1, x2, y2 = cat.phrases[i].box
        middle_y, middle_x = round((y1 + y2) / 2 * scale) + margin, round((x1 + x2) / 2 * scale) + margin
        drawn = close_to(figure, colour(i).fill)
        for x in (x1, x2):
            assert drawn[middle_y, round(x * scale) + margin - 1 : round(x * scale) + margin + 2].any()
        assert drawn[round(y2 * scale) + margin - 2 : round(y2 * scale) + margin + 2, middle_x].any()


def test_a_whole_image_phrase_is_a_frame_along_the_border(grey, cat):
    drawn = close_to(np.asarray(draw_grounding(grey, cat, width=960)), colour(2).fill)
    bottom = 20 + round(300 * 920 / 451)
    assert drawn[300, 20:28].any()
    assert drawn[300, 932:940].any()
    assert drawn[bottom - 8 : bottom, 700].any()


def test_the_sentence_under_the_photograph_has_each_phrase_s_colour(grey, cat):
    figure = np.asarray(draw_grounding(grey, cat, width=960))
    below = figure[20 + round(300 * 920 / 451) + 20 :]
    starts = [np.nonzero(close_to(below, colour(i).fill).any(0))[0].min() for i in range(3)]
    assert starts == sorted(starts)


def test_same_input_same_pixels_and_the_input_stays(chelsea, cat):
    before = chelsea.copy()
    first, second = draw_grounding(chelsea, cat), draw_grounding(chelsea, cat)
    assert first.tobytes() == second.tobytes()
    assert first.width == 960
    assert np.array_equal(chelsea, before)


@pytest.mark.parametrize(
    ("caption", "phrase"),
    [
        pytest.param("宇宙飛行士が旗の前に立っている" * 6, "宇宙飛行士", id="no spaces, wider than the figure"),
        pytest.param("قطة تنظر إلى الكاميرا", "قطة", id="right to left"),
        pytest.param("a 🐈\tin\na \U0010ffff box", "a 🐈\tin\na", id="emoji, line break, a character no font has"),
        pytest.param("a " + "very " * 80 + "long cat", "very " * 80 + "long", id="a phrase longer than a line"),
    ],
)
def test_any_script_and_length_can_be_drawn(ground, grey, caption, phrase):
    figure = draw_grounding(grey, ground(caption, {phrase: (10, 10, 100, 100)}, 451, 300), width=400)
    assert close_to(np.asarray(figure), colour(0).fill).any()


def test_twenty_phrases_on_one_box_can_be_drawn(ground, grey):
    names = [f"thing{i:02}" for i in range(20)]
    grounding = ground(" ".join(names), dict.fromkeys(names, (200, 100, 206, 104)), 451, 300, n_regions=21)
    drawn = np.asarray(draw_grounding(grey, grounding, width=500))[: 20 + round(300 * 480 / 451)]
    assert all(close_to(drawn, colour(i).fill).any() for i in range(10))


def test_a_figure_too_narrow_to_read_is_refused(grey, cat):
    with pytest.raises(SettingsError, match="at least 240"):
        draw_grounding(grey, cat, width=100)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        pytest.param(np.zeros((451, 300, 3), np.uint8), "300x451", id="not the size of the regions"),
        pytest.param(np.zeros((300, 451), np.uint8), "uint8", id="grey"),
        pytest.param(np.zeros((300, 451, 3), np.float32), "float32", id="floats"),
    ],
)
def test_an_image_that_does_not_fit_is_named(cat, image, reason):
    with pytest.raises(DataError, match=reason):
        draw_grounding(image, cat)

"""Views of images: what they show, where boxes are in them, and that they are the same each time."""

from __future__ import annotations

import numpy as np

from phrasebox.regions.views import LEAST_SHOWN, View, view_of

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


def test_view_0_is_the_image_itself():
    assert view_of("a", 0) == View()
    np.testing.assert_array_equal(View().cut(IMAGE), IMAGE)


def test_views_follow_from_key_and_number():
    assert view_of("a", 1) == view_of("a", 1)
    assert len({view_of(key, number) for key in "ab" for number in (1, 2)}) == 4


def test_views_show_most_of_the_image_and_half_are_flipped():
    views = [view_of(str(key), 1) for key in range(400)]
    shares = [(v.place[2] - v.place[0]) * (v.place[3] - v.place[1]) for v in views]
    assert min(shares) >= LEAST_SHOWN - 1e-9
    assert max(shares) > 0.9
    assert all(v.place[0] >= 0 and v.place[2] <= 1 + 1e-9 for v in views)
    assert 150 < sum(v.flipped for v in views) < 250


def test_a_flipped_view_is_the_mirror_image_of_its_part():
    view, plain = (View((0.5, 0.25, 1, 1), flipped) for flipped in (True, False))
    np.testing.assert_array_equal(plain.cut(IMAGE), IMAGE[10:, 30:])
    np.testing.assert_array_equal(view.cut(IMAGE), plain.cut(IMAGE)[:, ::-1])
    np.testing.assert_array_equal(view.pixels(IMAGE, 16), plain.pixels(IMAGE, 16)[:, ::-1])


def test_a_box_frames_the_same_pixels_in_the_view():
    box = np.array([[0.6, 0.4, 0.9, 0.8]])
    for flipped in (False, True):
        view = View((0.5, 0.25, 1, 1), flipped)
        cut = view.cut(IMAGE)
        corners = np.array([cut.shape[1], cut.shape[0]] * 2)
        x1, y1, x2, y2 = (view.boxes(box)[0] * corners).round().astype(int).tolist()
        inside = cut[y1:y2, x1:x2]
        np.testing.assert_array_equal(inside[:, ::-1] if flipped else inside, IMAGE[16:32, 36:54])


def test_a_tiny_image_keeps_a_pixel():
    assert View((0.1, 0.1, 0.2, 0.2)).cut(IMAGE[:1, :1]).shape == (1, 1, 3)

"""Each proposer alone: boxes inside the image, the same every time, and clear words about bad input."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from phrasebox.errors import DataError, SettingsError
from phrasebox.regions.proposers import PROPOSERS, Given, Grid, Proposals, SelectiveSearch, make_proposer
from phrasebox.regions.proposers.base import by_area


@pytest.fixture(scope="module")
def cat() -> np.ndarray:
    return np.asarray(data.chelsea())[::2, ::2]


def assert_inside(proposals: Proposals, height: int, width: int) -> None:
    x1, y1, x2, y2 = proposals.boxes.T
    assert proposals.boxes.dtype == proposals.scores.dtype == np.float32
    assert (x1 >= 0).all()
    assert (y1 >= 0).all()
    assert (x2 <= width).all()
    assert (y2 <= height).all()
    assert (x2 > x1).all()
    assert (y2 > y1).all()


class TestSelectiveSearch:
    def test_finds_a_square(self) -> None:
        image = np.full((120, 160, 3), 30, np.uint8)
        image[40:90, 50:110] = (250, 40, 40)
        boxes = SelectiveSearch().propose(image).boxes
        assert np.abs(boxes - [50, 40, 110, 90]).max(axis=1).min() <= 2

    def test_same_boxes_in_every_thread_and_run(self, cat: np.ndarray) -> None:
        search = SelectiveSearch(short_side=60)
        alone = search.propose(cat)
        with ThreadPoolExecutor(4) as threads:
            for other in threads.map(search.propose, [cat] * 4):
                np.testing.assert_array_equal(other.boxes, alone.boxes)
                np.testing.assert_array_equal(other.scores, alone.scores)

    def test_boxes_are_in_pixels_of_the_large_image_and_large_enough(self, cat: np.ndarray) -> None:
        found = SelectiveSearch(short_side=60, min_side=0.2).propose(cat)
        height, width = cat.shape[:2]
        assert_inside(found, height, width)
        assert found.boxes[:, 2].max() > 0.9 * width
        assert (found.boxes[:, 2] - found.boxes[:, 0]).min() >= 0.199 * width
        assert (found.boxes[:, 3] - found.boxes[:, 1]).min() >= 0.199 * height

    def test_no_box_twice(self, cat: np.ndarray) -> None:
        boxes = SelectiveSearch(short_side=60).propose(cat).boxes
        assert len(np.unique(boxes, axis=0)) == len(boxes) > 5

    @pytest.mark.parametrize("shape", [(1, 1), (10_000, 1), (1, 300), (15, 15)], ids=str)
    def test_nothing_to_segment(self, shape: tuple[int, int]) -> None:
        assert SelectiveSearch().propose(np.zeros((*shape, 3), np.uint8)).boxes.shape == (0, 4)

    @pytest.mark.parametrize("wrong", [{"short_side": 4}, {"min_side": 1.0}, {"min_side": -0.1}], ids=str)
    def test_settings_out_of_range(self, wrong: dict[str, float]) -> None:
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            make_proposer("selective_search", **wrong)


class TestGrid:
    @pytest.mark.parametrize("density", [27, 48, 101])
    @pytest.mark.parametrize(("height", "width"), [(1, 1), (10_000, 1), (300, 400)])
    def test_anchors_and_the_whole_image_make_the_density(self, density: int, height: int, width: int) -> None:
        found = Grid(density).propose(np.zeros((height, width, 3), np.uint8))
        assert len(found.boxes) == density - 1
        assert_inside(found, height, width)

    def test_symmetric_left_to_right(self) -> None:
        boxes = Grid().propose(np.zeros((100, 100, 3), np.uint8)).boxes
        mirrored = np.stack([100 - boxes[:, 2], boxes[:, 1], 100 - boxes[:, 0], boxes[:, 3]], axis=1)
        assert {tuple(b) for b in boxes.round(2).tolist()} == {tuple(b) for b in mirrored.round(2).tolist()}

    def test_unknown_density(self) -> None:
        with pytest.raises(SettingsError, match="27, 48, 101"):
            Grid(50)


class TestGiven:
    def test_keeps_order_and_clips(self) -> None:
        found = Given([[5, 5, 30, 30], [0, 0, 2, 2]]).propose(np.zeros((10, 20, 3), np.uint8))
        np.testing.assert_array_equal(found.boxes, [[5, 5, 20, 10], [0, 0, 2, 2]])

    def test_no_boxes(self) -> None:
        assert Given([]).propose(np.zeros((10, 20, 3), np.uint8)).boxes.shape == (0, 4)

    @pytest.mark.parametrize(
        ("box", "reason"),
        [
            ([20, 0, 25, 5], "outside the 20x10 image"),
            ([-5, -5, -1, -1], "outside"),
            ([3, 3, 3, 8], "no area"),
            ([8, 3, 3, 8], "no area"),
            ([0, 0, float("nan"), 5], "not finite"),
            ([0, 0, float("inf"), 5], "not finite"),
        ],
    )
    def test_bad_box_is_named(self, box: list[float], reason: str) -> None:
        with pytest.raises(DataError, match=f"given box 1 .*{reason}"):
            Given([[0, 0, 5, 5], box]).propose(np.zeros((10, 20, 3), np.uint8))

    def test_wrong_shape(self) -> None:
        with pytest.raises(DataError, match=r"\(N, 4\)"):
            Given([[0, 0, 5]])


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(10, 20)] * 2), max_size=12), st.randoms())
@settings(max_examples=30, deadline=None)
def test_ranking_by_area_ignores_the_order_of_input(boxes: list[tuple[int, ...]], random) -> None:
    shuffled = random.sample(boxes, len(boxes))
    one, two = (by_area(np.array(b).reshape(-1, 4), 20, 20) for b in (boxes, shuffled))
    np.testing.assert_array_equal(one.boxes, two.boxes)
    assert (np.diff(one.scores) <= 0).all()


def test_registry_names_what_it_has() -> None:
    assert set(PROPOSERS) == {"selective_search", "grid", "detector", "given"}
    with pytest.raises(SettingsError, match="selective_search, grid, detector, given"):
        make_proposer("psychic")
    with pytest.raises(SettingsError, match="grid"):
        make_proposer("grid", wrong=1)


def test_names_tell_settings_apart() -> None:
    proposers = [Grid(27), Grid(48), SelectiveSearch(), SelectiveSearch(100), SelectiveSearch(min_side=0), Given([])]
    assert len({proposer.name for proposer in proposers}) == len(proposers)

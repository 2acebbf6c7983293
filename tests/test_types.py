"""Values that do not fit together are refused when they are made."""

from __future__ import annotations

import numpy as np
import pytest

from phrasebox.errors import DataError
from phrasebox.types import Box, Phrase, Regions

BOXES, ONES = np.array([[0, 0, 8, 4], [0, 0, 4, 4]], np.float32), np.ones(2, np.float32)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param({"boxes": np.empty((0, 4), np.float32)}, r"R >= 1, got \(0, 4\)", id="no box"),
        pytest.param({"boxes": np.ones(4, np.float32)}, r"R >= 1, got \(4,\)", id="a box instead of a list"),
        pytest.param({"scores": np.ones(3)}, r"2 boxes but scores of shape \(3,\)", id="a score too many"),
        pytest.param({"vectors": np.ones((3, 5))}, r"2 boxes but vectors of shape \(3, 5\)", id="a vector too many"),
        pytest.param({"vectors": np.ones(2)}, r"2 boxes but vectors of shape \(2,\)", id="numbers for vectors"),
        pytest.param({"straddling": np.ones(1)}, r"2 boxes but straddling of shape \(1,\)", id="a box without one"),
        pytest.param({"straddling": np.ones((2, 1))}, r"2 boxes but straddling of shape \(2, 1\)", id="a column"),
    ],
)
def test_regions_whose_shapes_disagree(values, reason):
    with pytest.raises(DataError, match=reason):
        Regions(**{"boxes": BOXES, "scores": ONES, "width": 8, "height": 4, **values})


def test_narrowed_regions_keep_all_but_the_end_of_the_vectors():
    vectors = np.arange(10, dtype=np.float16).reshape(2, 5)
    whole = Regions(BOXES, ONES, 8, 4, vectors, "a.jpg", np.array([1, 0.5], np.float32))
    few = whole.narrowed(3)
    np.testing.assert_array_equal(few.vectors, vectors[:, :3])
    assert (few.boxes is whole.boxes, few.straddling is whole.straddling, few.key) == (True, True, "a.jpg")
    assert whole.narrowed(5) is whole


def test_a_phrase_of_several_boxes_is_a_pair_with_each():
    boxes = Box(4, 0, 6, 2), Box(0, 1, 2, 3), Box(1, 2, 9, 5)
    dogs = Phrase("dogs", (0, 4), boxes[0], 0.5, 0.25, region=3, further=boxes[1:])
    assert (dogs.boxes, dogs.hull) == (boxes, Box(0, 0, 9, 5))
    pairs = dogs.pairs()
    assert [pair.boxes for pair in pairs] == [(box,) for box in boxes]
    assert [pair.region for pair in pairs] == [3, -1, -1]
    assert all((pair.span, pair.score, pair.confidence) == ((0, 4), 0.5, 0.25) for pair in pairs)
    assert pairs[0].pairs() == (pairs[0],)
    assert dogs.to_json()["boxes"] == [list(box) for box in boxes]

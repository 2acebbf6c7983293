from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.grounding import segments


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        pytest.param([], [], id="no word"),
        pytest.param([3], [(0, 1, 3)], id="one word"),
        pytest.param([2, 2, 2], [(0, 3, 2)], id="one run"),
        pytest.param([0, 1, 0], [(0, 1, 0), (1, 2, 1), (2, 3, 0)], id="a region comes back"),
    ],
)
def test_segments(assignment, expected):
    assert segments(np.array(assignment, int)) == expected


@given(st.lists(st.integers(0, 3), max_size=12))
def test_runs_rebuild_the_assignment_and_cannot_be_joined(assignment):
    runs = segments(np.array(assignment, int))
    assert [region for a, b, region in runs for _ in range(a, b)] == assignment
    assert all(left[2] != right[2] for left, right in itertools.pairwise(runs))

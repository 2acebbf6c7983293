"""A stage killed at any moment and run again leaves the same rows and bytes as one left in peace."""

from __future__ import annotations

import pytest
from killing import ALL, survives

MOMENTS = 4


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
@pytest.mark.parametrize("name", ALL)
def test_nothing_is_lost(name, seed, forks, stages, data, tmp_path):
    survives(forks, stages[name], data, tmp_path, MOMENTS, seed)

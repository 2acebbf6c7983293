"""What every test shares: one thread a process, and hypothesis without a clock."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for helpers

hypothesis.settings.register_profile("phrasebox", deadline=None, derandomize=True)
hypothesis.settings.load_profile("phrasebox")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Sums in one order, so that equal seeds give equal bytes; and small matrices gain nothing from threads."""
    import torch

    torch.set_num_threads(1)

"""Every kind of file, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mutating import Kind, kinds


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory) -> dict[str, Kind]:
    return kinds(tmp_path_factory.mktemp("kinds"))

"""Helpers that worker processes import too, and small workspaces made once for all tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).parent),
    str(Path(__file__).parents[1] / "faults"),
]

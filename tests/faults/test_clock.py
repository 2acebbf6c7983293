"""A clock that jumps changes nothing but the times that are written down."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forks import Forks
from killing import peaceful


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="needs Linux and a C compiler")
def test_jumps(stages, data, tmp_path):
    library = tmp_path / "clock.so"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    forks = Forks(tmp_path, LD_PRELOAD=str(library))
    try:
        for stage in peaceful(forks, data, tmp_path):
            assert stage.left == stages[stage.name].left
    finally:
        forks.close()

"""A clock that jumps changes nothing but the times that are written down."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from forks import Forks
from killing import command, left_in

OF_EVERY_KIND = ("import", "regions", "align", "ground", "parquet", "index", "describe")


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="needs Linux and a C compiler")
def test_jumps(stages, data, tmp_path):
    library = tmp_path / "clock.so"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    forks = Forks(tmp_path, LD_PRELOAD=str(library))
    try:
        for name in OF_EVERY_KIND:
            ws = Path(shutil.copytree(stages[name].before, tmp_path / name))
            ended = forks.run(*command(name, data, ws))
            assert ended.code == 0, ended.err
            assert left_in(ws) == stages[name].left
    finally:
        forks.close()

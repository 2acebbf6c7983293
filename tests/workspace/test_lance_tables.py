"""Merging the pieces of a table: memory does not grow with it."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

from phrasebox.workspace.lance_tables import Tables

PROGRAM = """
import sys, threading
from pathlib import Path
import numpy as np, pyarrow as pa
from phrasebox.workspace.lance_tables import Tables

def private():
    line = next(line for line in open("/proc/self/status") if line.startswith("RssAnon"))
    return int(line.split()[1]) // 1024

tables, piece = Tables(Path(sys.argv[1])), 64
for start in range(0, int(sys.argv[2]), piece):
    raw = np.random.default_rng(start).bytes(2 * piece * 50 * 2560)
    numbers = pa.array(np.frombuffer(raw, np.float16))
    regions = pa.FixedSizeListArray.from_arrays(numbers, 2560)
    vectors = pa.ListArray.from_arrays(np.arange(0, piece * 50 + 1, 50, dtype=np.int32), regions)
    tables.append("wide", pa.table({"key": [str(start + i) for i in range(piece)], "vectors": vectors}))
before, most, done = private(), [0], threading.Event()

def watch():
    while not done.wait(0.01):
        most[0] = max(most[0], private())

watcher = threading.Thread(target=watch)
watcher.start()
tables.optimize("wide")
done.set()
watcher.join()
print(most[0] - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_wide_rows_are_merged_a_few_at_a_time(tmp_path):
    # Regions of 2,048 images are 524 MB. One piece at a time needs about 160 MB; sixteen at a time need 440 MB.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), "2048"], capture_output=True, text=True, timeout=1000
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300


def test_the_version_is_that_of_the_table_whoever_wrote_it(tmp_path):
    ours, others = Tables(tmp_path), Tables(tmp_path)
    rows = pa.table({"key": ["a", "b"]})

    assert ours.version("images") == (0, 0)
    for write in (
        lambda: others.append("images", rows),
        lambda: others.append("images", rows),
        lambda: others.put("images", rows, ["key"]),
        lambda: others.delete("images", "key", ["a"]),
        lambda: others.optimize("images"),
        lambda: (others.drop("images"), others.append("images", rows)),
        lambda: ours.append("images", rows),
    ):
        before = ours.version("images")
        write()
        assert ours.version("images") != before
        assert ours.version("images")[0] == others.open("images").version
    ours.drop("images")
    assert ours.version("images") == others.version("images") == (0, 0)

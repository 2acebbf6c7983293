from __future__ import annotations

import pytest

from phrasebox.pipeline import commits
from phrasebox.pipeline.commits import Commits
from phrasebox.pipeline.mapper import Mapped
from phrasebox.types import Skipped


@pytest.fixture
def kept():
    return []


def gather(kept, weigh=lambda row: 0, progress=lambda count: None):
    return Commits(kept.append, lambda skipped: kept.append([s.key for s in skipped]), weigh, progress)


def test_the_first_batches_are_stored_at_once_and_later_ones_together(kept):
    finished = []
    gathered = gather(kept, progress=finished.append)
    for i in range(1000):
        gathered.add(Mapped([2 * i, 2 * i + 1]))
    gathered.write()
    assert [row for rows in kept for row in rows] == list(range(2000))
    assert [len(rows) for rows in kept[:64]] == [2] * 64
    assert len(kept) < 300
    assert max(len(rows) for rows in kept) >= 2000 / 64 / 2
    assert (gathered.counts.done, sum(finished)) == (2000, 2000)


def test_many_bytes_do_not_wait(kept):
    gathered = gather(kept, weigh=lambda row: commits._BYTES // 2)
    gathered.counts = gathered.counts.__class__(done=10**6)
    for i in range(6):
        gathered.add(Mapped([i]))
    assert kept == [[0, 1], [2, 3], [4, 5]]


def test_rows_do_not_wait_longer_than_a_minute(kept, monkeypatch):
    now = 0.0
    monkeypatch.setattr(commits.time, "monotonic", lambda: now)
    gathered = gather(kept)
    gathered.counts = gathered.counts.__class__(done=10**6)
    gathered.add(Mapped([1]))
    assert kept == []
    now = commits._SECONDS
    gathered.add(Mapped([2], [Skipped("3", "bad")]))
    assert kept == [[1, 2], ["3"]]


def test_what_could_not_be_stored_is_not_stored_later():
    def fail(rows):
        raise OSError("disk full")

    gathered = Commits(fail, list, lambda row: 0, lambda count: None)
    with pytest.raises(OSError, match="disk full"):
        gathered.add(Mapped([1]))
    gathered.write()
    assert gathered.counts.done == 0

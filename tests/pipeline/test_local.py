from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.errors import DataError
from phrasebox.pipeline import local as pipeline
from phrasebox.pipeline import prefetch
from phrasebox.pipeline.local import Counts, run
from phrasebox.pipeline.progress import progress
from phrasebox.types import Skipped


@dataclass(frozen=True)
class Item:
    key: str


def items(n):
    return [Item(str(i)) for i in range(n)]


@given(n=st.integers(0, 25), batch=st.integers(1, 7), workers=st.integers(1, 3), bad=st.sets(st.integers(0, 24)))
def test_order_and_batches_are_kept(n, batch, workers, bad):
    def read(item):
        if int(item.key) in bad:
            raise DataError(f"{item.key} is bad")
        return int(item.key)

    got, left_out, finished = [], [], []
    counts = run(
        items(n),
        lambda values: [value * 10 for value in values],
        got.append,
        batch=batch,
        prefetch=read,
        skip=left_out.extend,
        workers=workers,
        progress=finished.append,
    )
    good = [i for i in range(n) if i not in bad]
    assert [value for values in got for value in values] == [i * 10 for i in good]
    assert all(0 < len(values) <= batch for values in got)
    assert left_out == [Skipped(str(i), f"{i} is bad") for i in range(n) if i in bad]
    assert counts == Counts(len(good), n - len(good))
    assert sum(finished) == n


def test_heavy_items_are_fetched_and_batched_a_few_at_a_time(monkeypatch):
    for module in (pipeline, prefetch):
        monkeypatch.setattr(module, "MEMORY", 100)
    lock, held, most, batches = threading.Lock(), 0, 0, []

    def read(item):
        nonlocal held, most
        with lock:
            held += 60
            most = max(most, held)
        return item

    def done(values):
        nonlocal held
        with lock:
            held -= 60 * len(values)
        batches.append([int(value.key) for value in values])

    run(items(40), list, done, batch=16, prefetch=read, weigh=lambda value: 60, workers=3)
    assert [key for batch in batches for key in batch] == list(range(40))
    assert {len(batch) for batch in batches} == {2}
    assert most <= 60 * (2 + 2 + 3)  # a batch, what may be held ahead, and what each thread fetches


def test_without_prefetch_the_mapper_gets_the_items():
    got = []
    assert run(items(5), lambda batch: [item.key for item in batch], got.extend, batch=2) == Counts(5, 0)
    assert got == ["0", "1", "2", "3", "4"]


def test_without_skip_a_bad_item_stops_the_job():
    def read(item):
        raise DataError("broken.jpg: the file is empty")

    with pytest.raises(DataError, match="the file is empty"):
        run(items(1), list, list, batch=1, prefetch=read)


def test_other_errors_are_never_skipped():
    def read(item):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(items(1), list, list, batch=1, prefetch=read, skip=list)


def test_reading_goes_on_a_batch_ahead_and_no_further():
    mapped, read = [], []
    two_batches = threading.Event()

    def prefetch(item):
        read.append(item)
        if len(read) == 10:
            two_batches.set()
        return item

    def mapper(batch):
        assert two_batches.wait(30), "nothing was read while the mapper was busy"
        assert len(read) <= len(mapped) + 10
        mapped.extend(batch)
        return batch

    run(items(60), mapper, list, batch=5, prefetch=prefetch, workers=3)
    assert len(mapped) == 60


def test_interrupt_keeps_what_was_finished_and_ends_the_threads():
    stored = []

    def mapper(batch):
        if batch[0].key == "4":
            raise KeyboardInterrupt
        return batch

    with pytest.raises(KeyboardInterrupt):
        run(items(1000), mapper, stored.extend, batch=2, prefetch=lambda item: item)
    assert [item.key for item in stored] == ["0", "1", "2", "3"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_lines_where_there_is_no_terminal(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with progress("regions", total=100) as advance:
        now = 5.0
        advance(5)  # too soon for a line
        now = 10.0
        advance(5)
        now = 50.0
        advance(90)
    assert capsys.readouterr().err.splitlines() == [
        "regions 10/100, 1/s, 2 min left",
        "regions 100/100, 2/s",
    ]


def test_lines_where_the_total_is_unknown(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with progress("import", total=None) as advance:
        now = 10.0
        advance(5)
        now = 50.0
        advance(95)
    assert capsys.readouterr().err.splitlines() == ["import 5, 0.5/s", "import 100, 2/s"]


def test_quiet_prints_nothing(capsys):
    with progress("regions", total=2, quiet=True) as advance:
        advance(2)
    assert capsys.readouterr().err == ""


def test_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress("regions", total=4) as advance:
        advance(1)
        advance(3)
    assert "4/4" in capsys.readouterr().err


def test_bar_where_the_total_is_unknown(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress("import", total=None) as advance:
        advance(3)
    assert "3/?" in capsys.readouterr().err

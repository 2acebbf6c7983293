"""Worker processes of this machine: in order, each batch once, whoever dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mappers import Item, Squares, Timed

from phrasebox.errors import PeerError, SettingsError
from phrasebox.pipeline import Engine, run
from phrasebox.pipeline import base as engine
from phrasebox.types import Skipped


@pytest.fixture(autouse=True)
def _processes_for_little(monkeypatch):
    monkeypatch.setattr(engine, "LEAST", 1)


def squares(mapper, n=12):
    """What is stored of ``n`` numbers in batches of 2, and what is left out."""
    rows, skipped = [], []
    run(
        [Item(str(i)) for i in range(n)],
        mapper,
        rows.extend,
        skipped.extend,
        batch=2,
        engine=Engine(workers=2),
        progress=lambda count: None,
    )
    return rows, skipped


def test_in_order_without_what_is_bad():
    rows, skipped = squares(Squares(bad=3, unreadable=8))
    assert rows == [(i, i * i) for i in range(12) if i not in (3, 8)]
    assert skipped == [Skipped("3", "bad"), Skipped("8", "8 cannot be read")]


def test_what_the_processes_spend_is_added_up():
    mapper = Timed()
    squares(mapper)
    assert mapper.profile.seconds["squares"] >= 6 * 0.02


def test_a_killed_process_loses_nothing_and_doubles_nothing(tmp_path):
    rows, _ = squares(Squares(tmp_path, once=5))
    assert (tmp_path / "killed").exists()
    assert rows == [(i, i * i) for i in range(12)]


def test_a_batch_that_kills_every_process_is_named():
    with pytest.raises(PeerError, match=r"died, the last of SIGKILL, at the images from 4 on; .* fewer --workers"):
        squares(Squares(always=5))


@pytest.mark.parametrize(
    ("mapper", "kind", "reason"),
    [
        (Squares(refused=7), SettingsError, "7 is refused"),
        (Squares(wrong=7), RuntimeError, "ZeroDivisionError: 7 is wrong"),
    ],
)
def test_errors_are_those_of_the_mapper(mapper, kind, reason):
    with pytest.raises(kind, match=reason):
        squares(mapper)


def test_the_processes_end_with_the_one_that_started_them():
    """The workers have the other end of the pipe: it ends when the last of them does."""
    script = """
import os, sys
from mappers import Item, Squares
from phrasebox.pipeline.processes import over_processes
found = over_processes(iter([[Item("1")], [Item("2")], [Item("3")]]), Squares(), 2)
next(found)
print("working", flush=True)
os.kill(os.getpid(), 9)
"""
    driver = subprocess.Popen(
        [sys.executable, "-c", script], cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = driver.communicate(timeout=300)  # standard error ends when the workers that share it do
    assert driver.returncode == -9
    assert (out, err) == (b"working\n", b"")


def test_little_to_do_is_done_here(monkeypatch):
    assert Engine(workers=2).processes(items=20, batch=10, device="cpu") == 2
    assert Engine(workers=2).processes(items=19, batch=10, device="cpu") == 0
    assert Engine(workers=2).processes(items=1000, batch=10, device="cuda") == 0
    assert Engine(workers=8).processes(items=30, batch=10, device="cpu") == 3


def test_what_an_engine_refuses():
    with pytest.raises(SettingsError, match="add --engine ray"):
        Engine(address="auto")
    with pytest.raises(SettingsError, match="workers must be at least 1"):
        Engine(workers=0)

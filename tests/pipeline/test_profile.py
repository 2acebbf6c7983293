from __future__ import annotations

import threading
import time

from phrasebox.pipeline import profile as profiling
from phrasebox.pipeline.profile import Profile


def spend(profile, part):
    with profile.part(part):
        time.sleep(0.02)


def test_parts_add_up_over_threads():
    profile = Profile()
    threads = [threading.Thread(target=spend, args=(profile, "decode")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spend(profile, "write")
    assert profile.seconds["decode"] >= 0.08
    first, *parts = profile.lines(images=10)
    assert [line.split()[0] for line in parts] == ["decode", "write"]
    assert "images/s" in first


def test_what_another_has_spent_is_moved_here():
    mine, others = Profile(), Profile()
    spend(mine, "decode")
    for _ in range(2):
        spend(others, "decode")
        spend(others, "write")
        mine.add(others.take())
    assert not others.seconds
    assert mine.seconds["decode"] >= 0.06
    assert mine.seconds["write"] >= 0.04


def test_a_part_that_fails_is_counted():
    profile = Profile()
    try:
        with profile.part("decode"):
            raise ValueError
    except ValueError:
        pass
    assert list(profile.seconds) == ["decode"]


def test_what_bounds_it(monkeypatch):
    clock = {"monotonic": 0.0, "process_time": 0.0}
    for name in clock:
        monkeypatch.setattr(profiling.time, name, lambda name=name: clock[name])
    profile = Profile(cores=2)
    profile.seconds["network"] = 9.0
    clock.update(monotonic=10.0, process_time=19.0)
    assert profile.lines(100)[0] == (
        "10.0 images/s; 1.9 of 2 cores busy: the processor is what bounds it, most of all network"
    )
    clock.update(process_time=8.0)
    assert "the processor waits" in profile.lines(100)[0]

from __future__ import annotations

import pickle
import threading

from phrasebox.pipeline.profile import Profile


class Clock(threading.local):
    """Each thread has its own time, which passes only when the test says so."""

    now = 0.0

    def __call__(self):
        return self.now


def spend(profile, clock, part, seconds=0.25):
    with profile.part(part):
        clock.now += seconds


def test_parts_add_up_over_threads():
    clock = Clock()
    profile = Profile(clock=clock)
    threads = [threading.Thread(target=spend, args=(profile, clock, "decode")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spend(profile, clock, "write")
    assert profile.seconds == {"decode": 1.0, "write": 0.25}
    first, *parts = profile.lines(images=10)
    assert [line.split()[0] for line in parts] == ["decode", "write"]
    assert first.startswith("40.0 images/s")


def test_what_another_has_spent_is_moved_here():
    clock, processor = Clock(), Clock()
    mine, others = Profile(2, clock, Clock()), Profile(1, clock, processor)
    spend(mine, clock, "decode")
    for _ in range(2):
        spend(others, clock, "decode")
        spend(others, clock, "write", 0.5)
        processor.now += 0.625
        mine.add(others.take())
    assert not others.seconds
    assert mine.seconds == {"decode": 0.75, "write": 1.0}
    assert "0.7 of 2 cores busy" in mine.lines(10)[0]  # 1.25 s of a processor in 1.75 s


def test_a_part_that_fails_is_counted():
    clock = Clock()
    profile = Profile(clock=clock)
    try:
        with profile.part("decode"):
            clock.now += 2.0
            raise ValueError
    except ValueError:
        pass
    assert profile.seconds == {"decode": 2.0}


def test_it_starts_from_zero_in_another_process():
    clock = Clock()
    profile = Profile(3, clock)
    spend(profile, clock, "decode")
    copy = pickle.loads(pickle.dumps(profile))
    assert (copy.cores, copy.seconds) == (3, {})


def test_what_bounds_it():
    clock, processor = Clock(), Clock()
    profile = Profile(2, clock, processor)
    profile.seconds["network"] = 9.0
    clock.now, processor.now = 10.0, 19.0
    assert profile.lines(100)[0] == (
        "10.0 images/s; 1.9 of 2 cores busy: the processor is what bounds it, most of all network"
    )
    processor.now = 8.0
    assert "the processor waits" in profile.lines(100)[0]

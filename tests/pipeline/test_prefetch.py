from __future__ import annotations

import threading
import time

import pytest

from phrasebox.pipeline import prefetch
from phrasebox.pipeline.prefetch import ahead


def test_reading_ahead_keeps_the_order_and_tells_of_errors():
    assert list(ahead(lambda x: x * x, range(20))) == [x * x for x in range(20)]
    assert list(ahead(lambda x: x, [])) == []
    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda x: 1 // x, [2, 1, 0, 1]))


def test_only_a_few_are_read_ahead():
    asked = []

    def requests():
        for i in range(100):
            asked.append(i)
            yield i

    reading = ahead(lambda x: x, requests())
    assert next(reading) == 0
    assert len(asked) < 10
    reading.close()


def test_heavy_values_wait_until_there_is_room(monkeypatch):
    monkeypatch.setattr(prefetch, "MEMORY", 100)
    lock, held, most = threading.Lock(), 0, 0

    def read(number):
        nonlocal held, most
        with lock:
            held += 60
            most = max(most, held)
        return number

    found = []
    for number in ahead(read, range(40), count=16, threads=3, weigh=lambda value: 60):
        found.append(number)
        with lock:
            held -= 60
    assert found == list(range(40))
    assert most <= 60 * (2 + 3)  # what may wait, and what each thread reads


def test_closing_while_threads_wait_for_room_ends_them(monkeypatch):
    monkeypatch.setattr(prefetch, "MEMORY", 0)
    reading = ahead(lambda x: x, range(100), count=8, threads=4, weigh=lambda value: 1)
    assert next(reading) == 0
    reading.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_large_values_are_read_one_at_a_time(monkeypatch):
    monkeypatch.setattr("phrasebox.pipeline.prefetch.MEMORY", 100)
    lock, now, most = threading.Lock(), 0, 0

    def read(number):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1
        return number

    found = ahead(read, range(12), count=6, threads=4, weigh=lambda value: 0, expect=lambda number: 80)
    assert list(found) == list(range(12))
    assert most <= 2  # the one asked for, and one that fits

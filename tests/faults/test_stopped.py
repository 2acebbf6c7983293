"""Stopped from the keyboard, once or twice, at any moment: one line, exit code 130, and the stage goes on."""

from __future__ import annotations

import random
import signal

import pytest
from killing import ALL, command, left_in

BETWEEN = (0.0, 0.0005, 0.02)  # seconds of processor time from one signal to the next


@pytest.mark.parametrize("name", ALL)
def test_twice(name, forks, before, stages, data):
    rng = random.Random(name)
    ws = before(name)
    for between in BETWEEN:
        after = rng.uniform(0.02, stages[name].seconds)  # not before the command is there to be stopped
        ended = forks.run(*command(name, data, ws), signals=[(after, signal.SIGINT), (after + between, signal.SIGINT)])
        assert ended.code in (0, 130), ended.err
        if ended.code:
            assert ended.reason == "phrasebox: stopped; run the same command again to continue"
    ended = forks.run(*command(name, data, ws))
    assert ended.code == 0, ended.err
    assert left_in(ws) == stages[name].left

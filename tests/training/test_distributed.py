from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ranked_processes
from phrasebox.errors import PeerError
from phrasebox.training import distributed

SCRIPT = Path(__file__).parent / "exchanging.py"


@pytest.mark.parametrize("total", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("among", [1, 2, 3, 8])
def test_shares_are_all_rows_once(total, among):
    shares = [distributed.share(total, of, among) for of in range(among)]
    assert [i for part in shares for i in range(total)[part]] == list(range(total))
    sizes = [part.stop - part.start for part in shares]
    assert max(sizes) - min(sizes) <= 1


def test_a_process_of_its_own_exchanges_nothing():
    with distributed.joined() as device:
        assert (device, distributed.world(), distributed.rank(), distributed.first()) == ("cpu", 1, 0, True)
        rows = torch.ones(2, 3, requires_grad=True)
        assert torch.equal(distributed.gather_rows(rows, [2]), rows)
        assert not distributed.gather_rows(rows, [2]).requires_grad
        assert distributed.gather_lists([1]) == [1]
        assert distributed.from_first(4) == 4
        done = []
        distributed.first_does(lambda: done.append(1))
        assert done == [1]


def test_three_processes_exchange_rows():
    ended = ranked_processes.end(ranked_processes.start(3, SCRIPT, "exchange"))
    assert [e.code for e in ended] == [0, 0, 0], ended
    assert [e.out for e in ended] == [
        "[[0.0], [2.0], [2.0]] 3.0 [0, 1, 1, 2, 2, 2] first True\n",
        "[[0.0], [2.0], [2.0]] 3.0 [0, 1, 1, 2, 2, 2] first False\n",
        "[[0.0], [2.0], [2.0]] 3.0 [0, 1, 1, 2, 2, 2] first False\n",
    ]


def test_the_end_of_one_is_told_by_the_others():
    started = ranked_processes.start(2, SCRIPT, "die")
    first, other = ranked_processes.end(started)
    assert other.code == -9
    assert first.code == 1
    assert first.err.startswith("another process of this training (of 2, this is 0) ended, or was silent too long: ")
    assert "run the same command again to continue" in first.err


def test_the_silence_of_one_is_not_waited_out_for_ever():
    speaking, silent = ranked_processes.start(2, SCRIPT, "fall-silent")
    try:
        _, err = speaking.communicate(timeout=ranked_processes.PATIENCE)
        assert speaking.returncode == 1
        assert "ended, or was silent too long" in err
        silent.communicate(timeout=ranked_processes.PATIENCE)  # closes its input, which it waits for
    finally:
        for process in (speaking, silent):
            process.kill()


def test_a_launcher_that_ends_a_process_is_named():
    started = ranked_processes.start(2, SCRIPT, "wait")
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    started[0].terminate()
    err = started[0].communicate(timeout=ranked_processes.PATIENCE)[1]
    assert started[0].returncode == 1
    assert err.startswith("told to stop, as when another process")
    ranked_processes.end(started[1:])


def test_nobody_to_meet():
    lonely = ranked_processes.start(2, SCRIPT, "lonely")
    lonely[1].kill()
    (ended,) = ranked_processes.end(lonely[:1])
    lonely[1].communicate()
    assert ended.code == 1
    assert "another process of this training" in ended.err


def test_other_errors_stay_what_they_are(monkeypatch):
    with pytest.raises(RuntimeError, match="a shape"), distributed.told():
        raise RuntimeError("a shape")
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "2")
    with pytest.raises(RuntimeError, match="a shape"), distributed.told():
        raise RuntimeError("a shape")
    with pytest.raises(PeerError, match="Connection closed by peer"), distributed.told():
        raise RuntimeError("[/gloo/pair.cc:1] Connection closed by peer [127.0.0.1]:1")

"""One of several processes that exchange something, for the tests of `phrasebox.training.distributed`."""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta

import torch

from phrasebox.errors import PeerError
from phrasebox.training import distributed


def exchange():
    rank = distributed.rank()
    rows = torch.full(((1, 0, 2)[rank], 1), float(rank))
    gathered = distributed.gather_rows(rows, [1, 0, 2])
    total = distributed.summed(torch.tensor(float(rank)))
    lists = distributed.gather_lists([rank] * (rank + 1))
    done = []
    distributed.first_does(lambda: done.append(1))
    assert len(done) == distributed.first()
    print(gathered.tolist(), float(total), lists, distributed.from_first("first" if rank == 0 else ""), rank == 0)


def die():
    distributed.barrier()
    if distributed.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    distributed.summed(torch.ones(1))


def fall_silent():
    distributed.barrier()
    if distributed.rank() == 1:
        sys.stdin.read()
    distributed.summed(torch.ones(1))


def wait():
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    task = sys.argv[1].replace("-", "_")
    seconds = 5 if task in ("fall_silent", "lonely") else 300
    try:
        with distributed.joined(patience=timedelta(seconds=seconds)):
            if task != "lonely":
                globals()[task]()
    except PeerError as error:
        sys.exit(str(error))

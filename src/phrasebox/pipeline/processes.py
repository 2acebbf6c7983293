"""A mapper in several processes of this machine: batches out, results back in the order of the batches.

The processes are started from nothing, so that nothing of this one has to be safe to fork and no script needs a guard
around its main part. They end when their standard input does, which is when this process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any

from phrasebox.errors import PeerError
from phrasebox.io.offline import is_offline
from phrasebox.pipeline.mapper import Mapped, Mapper, Worker

_WAITING = 2  # batches a process has: the one it maps, and the next
_AHEAD = 4  # batches a process that may be finished before one that takes long
_DEATHS = 3  # processes that may die of a batch

Told = tuple["_Process", Any]


class _Process:
    """A worker's process, and the numbers of the batches it has been given."""

    def __init__(self, mapper: Mapper, told: queue.SimpleQueue[Told]) -> None:
        self.given: list[int] = []
        self._popen = subprocess.Popen(
            [sys.executable, "-c", "from phrasebox.pipeline.processes import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
            start_new_session=True,  # the keyboard stops the job, which then ends them
        )
        self._send(sys.path)
        self._send((mapper, is_offline()))
        threading.Thread(target=self._listen, args=(told,), daemon=True).start()

    def give(self, number: int, batch: list[Any]) -> None:
        self.given.append(number)
        self._send(batch)

    def end(self) -> int:
        """Make an end of it, and return what it ended with."""
        self._popen.kill()
        return self._popen.wait()

    def died_of(self) -> str:
        code = self._popen.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def _send(self, value: Any) -> None:
        assert self._popen.stdin
        with contextlib.suppress(BrokenPipeError):  # it is dead, and its silence tells it
            pickle.dump(value, self._popen.stdin, pickle.HIGHEST_PROTOCOL)
            self._popen.stdin.flush()

    def _listen(self, told: queue.SimpleQueue[Told]) -> None:
        assert self._popen.stdout
        with contextlib.suppress(EOFError, pickle.UnpicklingError):  # an answer cut short is none
            while True:
                told.put((self, pickle.load(self._popen.stdout)))
        told.put((self, None))


def over_processes(batches: Iterator[list[Any]], mapper: Mapper, count: int) -> Generator[Mapped]:
    """Map batches in ``count`` processes of one thread each.

    A process that is killed is replaced and its batches are mapped again; what it had answered stays.

    Raises
    ------
    PeerError
        If several processes died of one batch.
    """
    told: queue.SimpleQueue[Told] = queue.SimpleQueue()
    pool = [_Process(mapper.alone(), told) for _ in range(count)]
    source = enumerate(batches)
    going: dict[int, list[Any]] = {}
    finished: dict[int, Mapped] = {}
    deaths: Counter[int] = Counter()
    wanted, more = 0, True
    try:
        while True:
            while more and len(going) + len(finished) < _AHEAD * count:
                process = min(pool, key=lambda each: len(each.given))
                if len(process.given) == _WAITING:
                    break
                number, batch = next(source, (-1, []))
                if more := bool(batch):
                    going[number] = batch
                    process.give(number, batch)
            while wanted in finished:
                yield finished.pop(wanted)
                wanted += 1
            if not going and not more:
                return
            if not going:
                continue
            process, answer = told.get()
            if answer is None:
                if process.given:
                    deaths[process.given[0]] += 1
                    if deaths[process.given[0]] == _DEATHS:
                        raise _dying(process, going[process.given[0]])
                place = pool.index(process)
                pool[place] = _Process(mapper.alone(), told)
                for number in process.given:
                    pool[place].give(number, going[number])
                process.end()
                continue
            if isinstance(answer, Exception):
                raise answer
            number = process.given.pop(0)
            finished[number] = answer
            del going[number]
    finally:
        for process in pool:
            process.end()


def _dying(process: _Process, batch: list[Any]) -> PeerError:
    return PeerError(
        f"{_DEATHS} worker processes died, the last of {process.died_of()}, at the images from {batch[0].key} on; if "
        "memory is short, give fewer --workers; then run the same command again to go on"
    )


def serve() -> None:
    """Be a worker: read batches from standard input until it ends, and write what they become."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    sys.path[:] = pickle.load(sys.stdin.buffer)
    worker = Worker(*pickle.load(sys.stdin.buffer))
    waiting: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                waiting.put(pickle.load(sys.stdin.buffer))
        finally:
            os._exit(0)

    # In a thread, so that the other end never waits to write, and its end is noticed in the middle of a batch.
    threading.Thread(target=read, daemon=True).start()
    while True:
        pickle.dump(worker.answer(waiting.get()), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()

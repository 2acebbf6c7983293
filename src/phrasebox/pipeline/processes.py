"""Runs a mapper in several processes of this machine; results come in the order of the batches.

Workers are new interpreters, so this process need not be safe to fork and scripts need no ``__main__`` guard. A worker
exits at the end of its standard input, so it never outlives this process, even one that is killed.
`docs/decisions/processes.md` compares this with loky.
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

_WAITING = 2  # batches sent to a process: the current one and the next
_AHEAD = 4  # batches in flight or finished early, for each process
_DEATHS = 3  # worker deaths at one batch after which the job fails

Told = tuple["_Process", Any]


class _Process:
    """A worker process and the numbers of the batches sent to it."""

    def __init__(self, mapper: Mapper, told: queue.SimpleQueue[Told]) -> None:
        self.given: list[int] = []
        self._popen = subprocess.Popen(
            [sys.executable, "-c", "from phrasebox.pipeline.processes import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
            start_new_session=True,  # Ctrl-C reaches the job alone, which then ends the workers
        )
        self._send(sys.path)
        self._send((mapper, is_offline()))
        threading.Thread(target=self._listen, args=(told,), daemon=True).start()

    def give(self, number: int, batch: list[Any]) -> None:
        self.given.append(number)
        self._send(batch)

    def end(self) -> int:
        """Kill the process and return its exit code."""
        self._popen.kill()
        return self._popen.wait()

    def died_of(self) -> str:
        code = self._popen.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def _send(self, value: Any) -> None:
        assert self._popen.stdin
        with contextlib.suppress(BrokenPipeError):  # it is dead; the listener reports that
            pickle.dump(value, self._popen.stdin, pickle.HIGHEST_PROTOCOL)
            self._popen.stdin.flush()

    def _listen(self, told: queue.SimpleQueue[Told]) -> None:
        assert self._popen.stdout
        with contextlib.suppress(EOFError, pickle.UnpicklingError):  # the process died in the middle of an answer
            while True:
                told.put((self, pickle.load(self._popen.stdout)))
        told.put((self, None))


def over_processes(batches: Iterator[list[Any]], mapper: Mapper, count: int) -> Generator[Mapped]:
    """Map batches in ``count`` processes of one thread each.

    A process that dies is replaced and its unanswered batches are mapped again; its answers are kept.

    Raises
    ------
    PeerError
        If several processes died at one batch.
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
        "memory is short, give fewer --workers; then run the same command again to continue"
    )


def serve() -> None:
    """Run a worker: read batches from standard input until it ends, and write their results to standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    sys.path[:] = pickle.load(sys.stdin.buffer)
    worker = Worker(*pickle.load(sys.stdin.buffer))
    waiting: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                waiting.put(pickle.load(sys.stdin.buffer))
        finally:
            os._exit(0)

    # In a thread, so that the sender never blocks and its end is noticed even in the middle of a batch.
    threading.Thread(target=read, daemon=True).start()
    while True:
        pickle.dump(worker.answer(waiting.get()), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()

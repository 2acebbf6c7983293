"""Time spent in each part of a job."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_BUSY = 0.75  # least share of busy cores of a job that the processor limits


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that a process spent in each part of a job, and its total processor time."""

    seconds: dict[str, float] = field(default_factory=dict)
    processor: float = 0.0


class Profile:
    """Seconds spent in each part of a job, summed over threads, and the processor time used.

    In a job of several processes each has its own profile; the first process adds what the others `take`.

    Parameters
    ----------
    cores : int, optional
        Number of processor cores of the job; default: all of this machine.
    clock, processor_clock : callable
        Read the time, and the processor time of this process, in seconds.

    Examples
    --------
    >>> profile = Profile(cores=2)
    >>> with profile.part("decode"):
    ...     pass
    >>> profile.lines(images=0)
    []
    """

    def __init__(
        self,
        cores: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        processor_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self.cores = cores or os.cpu_count() or 1
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._clock, self._processor_clock = clock, processor_clock
        self._started, self._processor = clock(), -processor_clock()

    def __reduce__(self) -> tuple[type[Profile], tuple[int]]:
        """A pickled profile starts from zero."""
        return Profile, (self.cores,)

    @property
    def wall(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add the time inside the block to the part of this name."""
        started = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[name] += self._clock() - started

    def take(self) -> Spent:
        """Return and reset what was spent since the last call."""
        with self._lock:
            now = self._processor_clock()
            spent = Spent(dict(self.seconds), self._processor + now)
            self.seconds.clear()
            self._processor = -now
        return spent

    def add(self, spent: Spent) -> None:
        """Add what another process spent."""
        with self._lock:
            for name, seconds in spent.seconds.items():
                self.seconds[name] += seconds
            self._processor += spent.processor

    def lines(self, images: int) -> list[str]:
        """Report: the rate, what limits the job, and the parts from longest to shortest; empty for no images."""
        if not images:
            return []
        wall, processor = self.wall, self._processor + self._processor_clock()
        parts = sorted(self.seconds.items(), key=lambda part: -part[1])
        busy = processor / wall
        if busy >= _BUSY * self.cores:
            bound = f"the processor is what bounds it, most of all {parts[0][0]}"
        else:
            bound = f"the processor waits: reading, writing or another program bounds it, look at {parts[0][0]} first"
        return [
            f"{images / wall:.1f} images/s; {busy:.1f} of {self.cores} cores busy: {bound}",
            *(
                f"  {name:<28} {seconds:8.1f} s of all workers {1000 * seconds / images:8.1f} ms an image"
                for name, seconds in parts
            ),
        ]

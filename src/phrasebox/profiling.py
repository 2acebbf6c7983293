"""Where the time of a job goes."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

_BUSY = 0.75  # share of the cores from which on the processor is what bounds a job


class Profile:
    """Seconds spent in each part of a job, summed over its threads, and how busy the processor was meanwhile.

    Examples
    --------
    >>> profile = Profile(cores=2)
    >>> with profile.part("decode"):
    ...     pass
    >>> profile.lines(images=0)
    []
    """

    def __init__(self, cores: int | None = None) -> None:
        self.cores = cores or os.cpu_count() or 1
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._started = time.monotonic(), time.process_time()

    def __reduce__(self) -> tuple[type[Profile], tuple[int]]:
        """In another process it starts anew."""
        return Profile, (self.cores,)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what is done inside to the part of this name."""
        started = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[name] += time.monotonic() - started

    def lines(self, images: int) -> list[str]:
        """The rate, the parts from the longest to the shortest, and what bounds the job; nothing of nothing."""
        if not images:
            return []
        wall, processor = time.monotonic() - self._started[0], time.process_time() - self._started[1]
        parts = sorted(self.seconds.items(), key=lambda part: -part[1])
        busy = processor / wall
        if busy >= _BUSY * self.cores:
            bound = f"the processor is what bounds it, most of all {parts[0][0]}"
        else:
            bound = f"the processor waits: reading, writing or another program bounds it, look at {parts[0][0]} first"
        return [
            f"{images / wall:.1f} images/s; {busy:.1f} of {self.cores} cores busy: {bound}",
            *(
                f"  {name:<28} {seconds:8.1f} s in all threads {1000 * seconds / images:8.1f} ms an image"
                for name, seconds in parts
            ),
        ]

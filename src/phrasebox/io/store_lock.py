"""A lock for a folder in an object store, where files cannot be locked: a lease that is renewed.

The writer owns the object ``lock.N`` with the highest number N. It is created with "create if absent", so of two
processes that try at once one succeeds. The object holds its expiry time, which the owner extends while it works. When
it has expired (the owner was killed), another process may create ``lock.N+1``.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from phrasebox.errors import WorkspaceError
from phrasebox.io.paths import file_system, reaching

SECONDS = 300.0
"""Seconds from the last renewal of a lease to its expiry."""

_PREFIX = "lock."


class Lease:
    """The lease of a folder in an object store.

    The clocks of two machines must agree to much less than `SECONDS`. `check_if_held`, called before every write, uses
    this process's monotonic clock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store, self._root = file_system(folder)
        self._number = 0
        self._until = 0.0  # expiry, on the monotonic clock
        self._done = threading.Event()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Take the lease, renew it in a thread, and release it at the end.

        Raises
        ------
        WorkspaceError
            If another process holds it.
        """
        self._take()
        renewing = threading.Thread(target=self._renew, daemon=True)
        renewing.start()
        try:
            yield
        finally:
            self._done.set()
            renewing.join()
            with suppress(Exception):  # it expires anyway
                self._put(0.0)
            self._number = 0

    def check_if_held(self) -> None:
        """Raise `WorkspaceError` if the lease has expired, for example while the machine was suspended."""
        if self._number and time.monotonic() >= self._until:
            raise WorkspaceError(
                f"the lock of {self._folder} could not be renewed for {SECONDS:.0f} s, so another command may be "
                "writing; run this command again to continue"
            )

    def _take(self) -> None:
        with reaching(self._folder):
            last = max(self._numbers(), default=0)
            if last and (until := self._read(last)) > time.time():
                raise WorkspaceError(
                    f"another phrasebox command is writing to {self._folder}, or was killed; wait for it, or until "
                    f"{time.strftime('%H:%M:%S', time.localtime(until))}"
                )
            self._number = last + 1
            begun = time.monotonic()
            try:
                self._store.pipe_file(self._name(self._number), self._text(SECONDS), mode="create")
            except (FileExistsError, OSError) as error:
                if not isinstance(error, FileExistsError) and self._number not in self._numbers():
                    raise
                raise WorkspaceError(f"another phrasebox command has begun to write to {self._folder}") from error
            self._until = begun + SECONDS
            for number in self._numbers():
                if number < self._number:
                    self._store.rm_file(self._name(number))

    def _renew(self) -> None:
        while not self._done.wait(SECONDS / 10):
            begun = time.monotonic()
            with suppress(Exception):  # retried; writes in between call `check_if_held`
                if max(self._numbers()) > self._number:
                    self._until = 0.0
                    return
                self._put(SECONDS)
                self._until = begun + SECONDS

    def _put(self, seconds: float) -> None:
        self._store.pipe_file(self._name(self._number), self._text(seconds))

    def _text(self, seconds: float) -> bytes:
        who = f"{socket.gethostname()}, process {os.getpid()}"
        return json.dumps({"until": time.time() + seconds if seconds else 0.0, "who": who}).encode()

    def _read(self, number: int) -> float:
        try:
            return float(json.loads(self._store.cat_file(self._name(number)))["until"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return 0.0

    def _numbers(self) -> list[int]:
        self._store.invalidate_cache()
        try:
            names = [name.rpartition("/")[2] for name in self._store.ls(self._root, detail=False)]
        except FileNotFoundError:
            return []
        return [int(n.removeprefix(_PREFIX)) for n in names if n.startswith(_PREFIX) and n[len(_PREFIX) :].isdigit()]

    def _name(self, number: int) -> str:
        return f"{self._root.rstrip('/')}/{_PREFIX}{number}"

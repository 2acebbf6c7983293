"""Mappers for tests, where worker processes can import them from."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from phrasebox.errors import DataError, SettingsError
from phrasebox.pipeline import Mapped, Mapper
from phrasebox.pipeline.profile import Profile
from phrasebox.stages.regions import RegionMapper
from phrasebox.types import Skipped


@dataclass(frozen=True)
class Item:
    key: str


@dataclass
class Squares(Mapper):
    """Numbers to their squares, with what goes wrong at some of them.

    ``once`` and ``always`` kill the process that maps this number, the first time or every time; a file in ``folder``
    says that it was done.
    """

    folder: Path | None = None
    once: int = -1
    always: int = -1
    refused: int = -1
    wrong: int = -1
    unreadable: int = -1
    bad: int = -1

    def load(self, item):
        if int(item.key) == self.unreadable:
            raise DataError(f"{item.key} cannot be read")
        return int(item.key)

    def __call__(self, batch):
        if self.refused in batch:
            raise SettingsError(f"{self.refused} is refused")
        if self.wrong in batch:
            raise ZeroDivisionError(f"{self.wrong} is wrong")
        if self.always in batch or (self.once in batch and first_time(self.folder)):
            os.kill(os.getpid(), signal.SIGKILL)
        return Mapped(
            [(n, n * n) for n in batch if n != self.bad], [Skipped(str(n), "bad") for n in batch if n == self.bad]
        )

    def alone(self):
        return self


@dataclass
class Timed(Squares):
    """Squares, with the time that they take."""

    profile: Profile = field(default_factory=Profile)

    def __call__(self, batch):
        with self.profile.part("squares"):
            time.sleep(0.02)
            return super().__call__(batch)


class DyingRegions(RegionMapper):
    """The regions' mapper, whose first process is killed at one image; both come from this process's environment."""

    at: tuple[str, str] | None = None

    def __call__(self, batch):
        folder, key = self.at or ("", "")
        if any(row.key == key for row, _ in batch) and first_time(Path(folder)):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)

    def alone(self):
        made = DyingRegions(self.settings, self.device)
        made.at = os.environ["DIES_IN"], os.environ["DIES_AT"]
        return made


def first_time(folder: Path) -> bool:
    """Whether this was not asked before, by any process."""
    try:
        (folder / "killed").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

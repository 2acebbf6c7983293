"""The mapper of a job, the same for all engines, and the worker that runs it on one core."""

from __future__ import annotations

import pickle
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar

from phrasebox.errors import PhraseboxError
from phrasebox.io.offline import go_offline
from phrasebox.pipeline.local import run
from phrasebox.pipeline.profile import Profile, Spent
from phrasebox.types import Skipped

T = TypeVar("T")
R = TypeVar("R")

_READERS = 4  # prefetch threads of a worker; they mostly wait for a disk or a store


@dataclass(frozen=True, slots=True)
class Mapped(Generic[R]):
    """Result of a batch: rows to store, skipped items with the reason, and the time spent in another process."""

    rows: list[R] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)


class Mapper(ABC, Generic[T, R]):
    """An operation on batches. It is pickled for other processes and loads its models there at the first call.

    Attributes
    ----------
    device : str
        Torch device of its models.
    profile : Profile or None
        Collects the time of each part, here and in other processes.
    """

    device: str = "cpu"
    profile: Profile | None = None

    @abstractmethod
    def __call__(self, batch: list[Any]) -> Mapped[R]:
        """Map the values that `load` returned for the items of a batch."""

    def load(self, item: T) -> Any:
        """Read what an item needs, such as its image. An item that raises `DataError` is skipped."""
        return item

    def expect(self, item: T) -> int:
        """Bytes that `load` takes for an item, as far as that is known before."""
        return 0

    def weigh(self, loaded: Any) -> int:
        """Size in bytes of what `load` returned."""
        return 0

    def weigh_row(self, row: R) -> int:
        """Size in bytes of a row."""
        return 0

    @abstractmethod
    def alone(self) -> Self:
        """A copy for a process with one core: nothing loaded, one thread."""


class Worker:
    """Runs a mapper in its own process on one core, for any engine."""

    def __init__(self, mapper: Mapper, offline: bool) -> None:
        import torch

        if offline:
            go_offline()
        torch.set_num_threads(1)
        self._mapper = mapper

    def __call__(self, batch: Sequence[Any]) -> Mapped:
        """Load and map a batch; images too large to hold at once are mapped a few at a time."""
        found: Mapped = Mapped()

        def keep(part: Mapped) -> None:
            found.rows.extend(part.rows)
            found.skipped.extend(part.skipped)

        run(
            batch,
            self._mapper,
            keep,
            batch=len(batch),
            prefetch=self._mapper.load,
            weigh=self._mapper.weigh,
            expect=self._mapper.expect,
            skip=found.skipped.extend,
            workers=_READERS,
        )
        profile = self._mapper.profile
        return found if profile is None else replace(found, spent=profile.take())

    def answer(self, batch: Sequence[Any]) -> Mapped | Exception:
        """Map a batch; return an error as a value that can be pickled."""
        try:
            return self(batch)
        except Exception as error:
            return _portable(error)


def _portable(error: Exception) -> Exception:
    if not isinstance(error, PhraseboxError):
        return RuntimeError("".join(traceback.format_exception(error)))
    try:
        return pickle.loads(pickle.dumps(error))
    except TypeError:  # its constructor takes other arguments than the message
        return PhraseboxError(str(error))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Limit torch to ``count`` threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(count, before))
    try:
        yield
    finally:
        torch.set_num_threads(before)

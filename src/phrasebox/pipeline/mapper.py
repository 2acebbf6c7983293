"""What a job does to a batch, as one class for all engines, and how a worker that has a core of its own does it."""

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

_READERS = 4  # threads of a worker that read ahead: they wait for a disk or a store more than they compute


@dataclass(frozen=True, slots=True)
class Mapped(Generic[R]):
    """What became of a batch: rows to store, items left out with the reason, and what it took in another process."""

    rows: list[R] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)


class Mapper(ABC, Generic[T, R]):
    """An operation on batches. It travels to the processes that run it, and loads its models there when first called.

    Attributes
    ----------
    device : str
        A torch device for its models.
    profile : Profile or None
        Is told where the time goes, here and in other processes.
    """

    device: str = "cpu"
    profile: Profile | None = None

    @abstractmethod
    def __call__(self, batch: list[Any]) -> Mapped[R]:
        """Map what `load` gave for the items of a batch."""

    def load(self, item: T) -> Any:
        """Read what an item needs, such as its picture; a `DataError` leaves the item out."""
        return item

    def weigh(self, loaded: Any) -> int:
        """Bytes of what `load` gave."""
        return 0

    def weigh_row(self, row: R) -> int:
        """Bytes of a row that waits to be stored."""
        return 0

    @abstractmethod
    def alone(self) -> Self:
        """The same for a process with one core: nothing loaded, one thread."""


class Worker:
    """A mapper in a process of its own, on one core; a worker of any engine."""

    def __init__(self, mapper: Mapper, offline: bool) -> None:
        import torch

        if offline:
            go_offline()
        torch.set_num_threads(1)
        self._mapper = mapper

    def __call__(self, batch: Sequence[Any]) -> Mapped:
        """Read and map a batch; pictures too large to hold all at once are mapped a few at a time."""
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
            skip=found.skipped.extend,
            workers=_READERS,
        )
        profile = self._mapper.profile
        return found if profile is None else replace(found, spent=profile.take())

    def answer(self, batch: Sequence[Any]) -> Mapped | Exception:
        """The same, and the error, if there is one, as a value that can travel."""
        try:
            return self(batch)
        except Exception as error:
            return _portable(error)


def _portable(error: Exception) -> Exception:
    if not isinstance(error, PhraseboxError):
        return RuntimeError("".join(traceback.format_exception(error)))
    try:
        return pickle.loads(pickle.dumps(error))
    except TypeError:  # its constructor takes something else than its text
        return PhraseboxError(str(error))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Hold torch to ``count`` threads at most."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(count, before))
    try:
        yield
    finally:
        torch.set_num_threads(before)

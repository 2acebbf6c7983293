"""Where a bulk job runs, and its one loop: results of batches into commits, each exactly once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Protocol, TypeVar

from phrasebox import pipeline
from phrasebox.bulk.commits import Commits
from phrasebox.bulk.mapper import Mapped, Mapper, threads
from phrasebox.bulk.processes import over_processes
from phrasebox.checks import at_least, one_of
from phrasebox.errors import SettingsError
from phrasebox.pipeline import Advance, Counts
from phrasebox.types import Skipped

LEAST = 8  # batches a process has to have before it is worth the seconds that it takes to start

T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Items in a fixed order, each with a ``key``; small enough to travel, and read where they are iterated over."""

    def __iter__(self) -> Iterator[T_co]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Engine:
    """Where a bulk job runs.

    Attributes
    ----------
    name : {"local", "ray"}
        This machine's processes, or a Ray cluster.
    workers : int
        Cores: processes of one thread each; threads of this process where there is little to do, or where the models
        are not on the processor. On a cluster that is there already, all its cores are used.
    address : str or None
        Of a Ray cluster, such as ``auto`` or ``10.0.0.1:6379``; None starts one on this machine.

    Raises
    ------
    SettingsError
        If there is no such engine, no worker, or an address for the local engine.
    """

    name: Literal["local", "ray"] = "local"
    workers: int = 2
    address: str | None = None

    def __post_init__(self) -> None:
        one_of("engine", self.name, ("local", "ray"))
        at_least(self, 1, "workers")
        if self.address is not None and self.name != "ray":
            raise SettingsError(f"--address {self.address} is of a Ray cluster; add --engine ray")

    def processes(self, items: int, batch: int, device: str) -> int:
        """How many processes of this machine share so many items; 0 where this one does it all."""
        useful = min(self.workers, items // (batch * LEAST)) if device == "cpu" else 0
        return useful if useful > 1 else 0


def run(
    source: Source[Any],
    mapper: Mapper,
    store: Callable[[list[Any]], object],
    skip: Callable[[list[Skipped]], object],
    *,
    batch: int,
    engine: Engine,
    progress: Advance,
) -> Counts:
    """Map all items of a source in batches, and store what they become.

    Only this process writes. A batch is stored as a whole or not at all, so that whatever ends the job, and wherever,
    the items that are not stored are those to be done again, in batches of the same members.

    Parameters
    ----------
    source : Source
        What is to be done; items that are stored already are not in it.
    mapper : Mapper
        Called in this process if there is one worker.
    store, skip : callable
        Add rows in one commit, and items left out.
    batch : int
        Items a batch.

    Returns
    -------
    Counts

    Raises
    ------
    PeerError
        If a worker is killed again and again.
    """
    commits = Commits(store, skip, mapper.weigh_row, progress)
    if elsewhere := _elsewhere(source, mapper, batch, engine):
        with closing(elsewhere) as found:
            try:
                for mapped in found:
                    if mapper.profile is not None:
                        mapper.profile.add(mapped.spent)
                    commits.add(mapped)
            finally:
                commits.write()  # what is finished is kept, whatever ended the rest
    else:
        _here(source, mapper, commits, batch, engine.workers)
    return commits.counts


def stream(source: Source[Any], mapper: Mapper, *, batch: int, engine: Engine) -> Generator[Mapped]:
    """What the batches of a source become, where it is not rows of a table; nothing is read ahead in this process.

    Raises
    ------
    PeerError
        As `run`.
    """
    if elsewhere := _elsewhere(source, mapper, batch, engine):
        with closing(elsewhere) as found:
            yield from found
    else:
        for items in batches(source, batch):
            yield mapper([mapper.load(item) for item in items])


def _elsewhere(source: Source[Any], mapper: Mapper, batch: int, engine: Engine) -> Generator[Mapped] | None:
    """Results from other processes; None where this one does it all."""
    if engine.name == "ray":
        from phrasebox.bulk.on_ray import over_ray

        return over_ray(source, mapper, batch, engine)
    if count := engine.processes(len(source), batch, mapper.device):
        return over_processes(batches(source, batch), mapper, count)
    return None


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items in lists of ``size``, the last one shorter.

    Examples
    --------
    >>> list(batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    items = iter(items)
    for first in items:
        yield [first, *islice(items, size - 1)]


def _here(source: Source[Any], mapper: Mapper, commits: Commits, batch: int, workers: int) -> None:
    """In this process, whose threads read ahead."""
    with threads(workers):
        try:
            pipeline.run(
                source,
                mapper,
                commits.add,
                batch=batch,
                prefetch=mapper.load,
                weigh=mapper.weigh,
                skip=lambda skipped: commits.add(Mapped([], skipped)),
                workers=workers,
            )
        finally:
            commits.write()

"""The loop of a bulk job: every batch is mapped by an engine and committed exactly once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from phrasebox.pipeline import local
from phrasebox.pipeline.base import Engine, Source, batches
from phrasebox.pipeline.commits import Commits
from phrasebox.pipeline.local import Counts
from phrasebox.pipeline.mapper import Mapped, Mapper, threads
from phrasebox.pipeline.processes import over_processes
from phrasebox.pipeline.progress import Advance
from phrasebox.types import Skipped


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
    """Map all items of a source in batches and store the results.

    Only this process writes. A batch is stored as a whole or not at all. However a job ends, the next run therefore
    processes exactly the items that were not stored.

    Parameters
    ----------
    source : Source
        The items to process, without those already stored.
    mapper : Mapper
        Called in this process if there is one worker.
    store, skip : callable
        Store rows in one commit; store skipped items.
    batch : int
        Number of items in a batch.

    Returns
    -------
    Counts

    Raises
    ------
    PeerError
        If workers are killed repeatedly by the same batch.
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
                commits.write()  # keep what is finished, however the job ended
    else:
        _here(source, mapper, commits, batch, engine.workers)
    return commits.counts


def stream(source: Source[Any], mapper: Mapper, *, batch: int, engine: Engine) -> Generator[Mapped]:
    """Yield the mapped batches of a source without storing them; without prefetch if it runs in this process.

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
    """Results from other processes; None if the job runs in this process."""
    if engine.name == "ray":
        from phrasebox.pipeline.ray import over_ray

        return over_ray(source, mapper, batch, engine)
    if count := engine.processes(len(source), batch, mapper.device):
        return over_processes(batches(source, batch), mapper, count)
    return None


def _here(source: Source[Any], mapper: Mapper, commits: Commits, batch: int, workers: int) -> None:
    """Run in this process, with threads that prefetch."""
    with threads(workers):
        try:
            local.run(
                source,
                mapper,
                commits.add,
                batch=batch,
                prefetch=mapper.load,
                weigh=mapper.weigh,
                expect=mapper.expect,
                skip=lambda skipped: commits.add(Mapped([], skipped)),
                workers=workers,
            )
        finally:
            commits.write()

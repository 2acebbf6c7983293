"""The source of a bulk job's items, and the engine that it runs on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import Field

from phrasebox.errors import SettingsError
from phrasebox.io.settings import settings

LEAST = 8  # least batches of a process; with fewer, starting it takes longer than it saves

T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Items in a fixed order, each with a ``key``; small when pickled, as items are read while iterating."""

    def __iter__(self) -> Iterator[T_co]: ...

    def __len__(self) -> int: ...


@settings
class Engine:
    """Where a bulk job runs.

    Attributes
    ----------
    name : {"local", "ray"}
        This machine's processes, or a Ray cluster.
    workers : int
        Processor cores to use: as processes with one thread each, or as threads of this process if there are few items
        or the models run on another device. On an existing cluster all of its cores are used.
    address : str or None
        Address of a Ray cluster, such as ``auto`` or ``10.0.0.1:6379``; None starts one on this machine.

    Raises
    ------
    SettingsError
        If the engine is unknown, ``workers`` is below 1, or the local engine is given an address.
    """

    name: Literal["local", "ray"] = "local"
    workers: Annotated[int, Field(ge=1)] = 2
    address: str | None = None

    def __post_init__(self) -> None:
        if self.address is not None and self.name != "ray":
            raise SettingsError(f"--address {self.address} is for a Ray cluster; add --engine ray")

    def processes(self, items: int, batch: int, device: str) -> int:
        """Number of processes for a job of ``items`` items; 0 if it runs in this process."""
        useful = min(self.workers, items // (batch * LEAST)) if device == "cpu" else 0
        return useful if useful > 1 else 0


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Split items into lists of ``size``; the last one may be shorter.

    Examples
    --------
    >>> list(batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    items = iter(items)
    for first in items:
        yield [first, *islice(items, size - 1)]

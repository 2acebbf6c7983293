"""Where a bulk job runs, and what it reads its items from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import Field

from phrasebox.errors import SettingsError
from phrasebox.io.settings import settings

LEAST = 8  # batches a process has to have before it is worth the seconds that it takes to start

T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Items in a fixed order, each with a ``key``; small enough to travel, and read where they are iterated over."""

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
    workers: Annotated[int, Field(ge=1)] = 2
    address: str | None = None

    def __post_init__(self) -> None:
        if self.address is not None and self.name != "ray":
            raise SettingsError(f"--address {self.address} is of a Ray cluster; add --engine ray")

    def processes(self, items: int, batch: int, device: str) -> int:
        """How many processes of this machine share so many items; 0 where this one does it all."""
        useful = min(self.workers, items // (batch * LEAST)) if device == "cpu" else 0
        return useful if useful > 1 else 0


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

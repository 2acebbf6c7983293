"""Several processes that train one model: their ranks, what they exchange, and how the end of one is reported.

Everything here is the identity in a process of its own, so that there is one way to train and not two.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from phrasebox.errors import PeerError, SettingsError

PATIENCE = timedelta(minutes=15)
"""How long a process waits for the others in one exchange before it gives up."""

_LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets
_LONG = timedelta(days=7)
_BROKEN = re.compile(r"gloo|nccl|connection (closed|reset|refused)|socket|time(d )?out|store", re.IGNORECASE)

T = TypeVar("T")


def world() -> int:
    """Number of processes that train together; 1 for one on its own."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return dist.get_rank() if world() > 1 else 0


def first() -> bool:
    """Whether this is the one that writes and prints."""
    return rank() == 0


def neighbours() -> int:
    """Number of processes on this machine, which share its memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", world())) if world() > 1 else 1


def launched() -> bool:
    """Whether torchrun, or what sets the same variables, started this process beside others."""
    return all(name in os.environ for name in _LAUNCHED) and os.environ["WORLD_SIZE"] != "1"


@contextmanager
def joined(device: str = "cpu", patience: timedelta = PATIENCE) -> Iterator[str]:
    """Meet the other processes that torchrun started; a process on its own meets nobody.

    Parameters
    ----------
    device : str
        ``cuda`` is the GPU of this process's place on its machine.
    patience : timedelta
        After which a process that does not answer counts as gone.

    Yields
    ------
    str
        The device to use.

    Raises
    ------
    PeerError
        If the others cannot be met, or one of them ends or is silent too long.
    SettingsError
        If there are fewer GPUs than processes.
    """
    if not launched() or dist.is_initialized():
        yield device
        return
    backend = "gloo"
    if torch.device(device).type == "cuda":
        place = int(os.environ.get("LOCAL_RANK", 0))
        if place >= torch.cuda.device_count():
            raise SettingsError(f"{torch.cuda.device_count()} GPUs here for process {place}; lower --nproc-per-node")
        backend, device = "nccl", f"cuda:{place}"
        torch.cuda.set_device(device)
    with told():
        dist.init_process_group(backend, timeout=patience)
    try:
        with told(), _ending():
            yield device
    finally:
        _LONG_GROUP.clear()
        dist.destroy_process_group()


@contextmanager
def _ending() -> Iterator[None]:
    """Say why this process ends where the launcher, one of whose processes is gone, ends the others."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> NoReturn:
        raise PeerError(
            "told to stop, as when another process of this training has ended; see what that said, then run the same "
            "command again to continue"
        )

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def told() -> Iterator[None]:
    """Say in one line that another process is gone, whichever of torch's errors that came as."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or (launched() and _BROKEN.search(str(error))):
            where = f" (of {os.environ['WORLD_SIZE']}, this is {os.environ['RANK']})" if launched() else ""
            reason = _reason(error)
            raise PeerError(
                f"another process of this training{where} ended, or was silent too long: {reason}; see what it said, "
                "then run the same command again to continue"
            ) from error
        raise


def _reason(error: RuntimeError) -> str:
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"^\[\S+\] ", "", line)[:120]


def share(total: int, of: int | None = None, among: int | None = None) -> slice:
    """The part of ``total`` rows in a row that is this process's own; parts differ by one row at most.

    Examples
    --------
    >>> [share(5, of, 3) for of in range(3)]
    [slice(0, 1, None), slice(1, 3, None), slice(3, 5, None)]
    """
    of, among = (rank() if of is None else of), (world() if among is None else among)
    return slice(total * of // among, total * (of + 1) // among)


def barrier() -> None:
    """Wait until all are here."""
    if world() > 1:
        dist.barrier()


_LONG_GROUP: list[Any] = []


def first_does(work: Callable[[], object]) -> None:
    """Have the first process do something that the others wait for, however long that takes."""
    if world() == 1:
        work()
        return
    if not _LONG_GROUP:
        _LONG_GROUP.append(dist.new_group(backend="gloo", timeout=_LONG))
    if first():
        work()
    dist.barrier(_LONG_GROUP[0])


def from_first(value: T) -> T:
    """What the first process has."""
    if world() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]


def gather_lists(own: list[T]) -> list[T]:
    """The lists of all processes, one after the other."""
    if world() == 1:
        return own
    found: list[list[T]] = [[] for _ in range(world())]
    dist.all_gather_object(found, own)
    return [item for part in found for item in part]


def gather_rows(own: Tensor, counts: Sequence[int]) -> Tensor:
    """The rows of all processes, one after the other; ``counts`` says how many each has. Without gradient.

    Parameters
    ----------
    own : (counts[rank], ...)

    Returns
    -------
    (sum of counts, ...)
    """
    if world() == 1:
        return own.detach()
    padded = own.new_zeros(max(counts), *own.shape[1:])
    padded[: len(own)] = own.detach()
    parts = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(parts, padded)
    return torch.cat([part[:n] for part, n in zip(parts, counts, strict=True)])


def summed(value: Tensor) -> Tensor:
    """The sum over all processes, in single precision at least."""
    if world() == 1:
        return value
    total = value.detach().float() if value.dtype in (torch.float16, torch.bfloat16) else value.detach().clone()
    dist.all_reduce(total)
    return total


class Replica:
    """A model of which every process has a copy, and whose gradients are summed over all of them.

    torch's DistributedDataParallel around whatever is computed with the model. The sum, not the mean: every process
    computes its share of one loss.
    """

    def __init__(self, model: nn.Module) -> None:
        self._parallel = None
        if world() > 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # newer torch calls the first option otherwise
                # Buffers stay as they are; a process whose share of a batch is empty leaves parameters unused.
                self._parallel = nn.parallel.DistributedDataParallel(
                    _Work(model), broadcast_buffers=False, find_unused_parameters=True
                )
            self._parallel.register_comm_hook(None, _sum)

    def __call__(self, work: Callable[[], T], last: bool = True) -> T:
        """Compute tensors that depend on the parameters.

        Parameters
        ----------
        work : callable
            Without arguments.
        last : bool
            The next way back is the last before a step, so that gradients are to be summed in it.
        """
        if self._parallel is None:
            return work()
        with nullcontext() if last else self._parallel.no_sync():
            return self._parallel(work)


class _Work(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, work: Callable[[], T]) -> T:
        return work()


def _sum(state, bucket):  # unannotated, as torch compares annotations with its own
    """Sum a bucket of gradients over all processes: a future of it."""
    done = dist.all_reduce(bucket.buffer(), async_op=True)
    assert done is not None
    return done.get_future().then(lambda future: future.value()[0])

"""How a training is computed: micro-batches, precision, compilation, memory."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, ByteSize, Field
from pydantic_core import PydanticCustomError

from phrasebox.io.settings import settings

if TYPE_CHECKING:
    import numpy as np
    import torch

_SHARE = 0.5  # fraction of free memory that vectors may take
_CGROUP = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


def _checked_size(value: Any) -> Any:
    """Refuse text behind a size, which pydantic ignores."""
    if isinstance(value, str) and not re.fullmatch(r"\s*\d*\.?\d+\s*[A-Za-z]*\s*", value):
        raise PydanticCustomError("byte_size", "not a size")
    return value


@settings
class Execution:
    """How a training is computed."""

    micro_batch: Annotated[int, Field(ge=0)] = 0
    "Images that a process takes through the networks at a time, for batches larger than memory; 0 takes its share."
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    "Precision of the products in the networks; weights, losses and validation are always in single precision."
    compile: bool = False
    "Compile the networks with torch.compile."
    memory: Annotated[ByteSize, BeforeValidator(_checked_size)] | None = None
    "Size such as 4GB that the vectors of a process may take; more are read as needed. Half of what is free by default."

    def parts(self, own: slice) -> list[slice]:
        """Cut a process's rows of a batch into micro-batches; an empty share is one empty part.

        Examples
        --------
        >>> Execution(micro_batch=2).parts(slice(4, 7))
        [slice(4, 6, None), slice(6, 7, None)]
        """
        size = self.micro_batch or max(1, own.stop - own.start)
        starts = range(own.start, own.stop, size) if own.stop > own.start else [own.start]
        return [slice(start, min(start + size, own.stop)) for start in starts]

    def autocast(self, device: str) -> AbstractContextManager:
        """Context in which the networks are computed in this precision."""
        if self.precision == "fp32":
            return nullcontext()
        import torch

        kind = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(torch.device(device).type, kind)

    def scaler(self, device: str) -> torch.amp.GradScaler:
        """Loss scaling for ``fp16`` on a GPU, where small gradients would underflow; disabled elsewhere."""
        import torch

        kind = torch.device(device).type
        return torch.amp.GradScaler(kind, enabled=self.precision == "fp16" and kind == "cuda")

    @property
    def identity(self) -> list[str]:
        """The settings that change results by more than the order of a sum; empty by default."""
        return [] if self.precision == "fp32" else [self.precision]

    @property
    def asked(self) -> dict[str, int | str | bool]:
        """The settings that differ from the default, by the names of the options."""
        found = {"micro_batch": self.micro_batch, "precision": self.precision, "compile": self.compile}
        return {name: value for name, value in found.items() if value not in (0, "fp32", False)}

    def fits(self, size: int) -> bool:
        """Whether this many bytes of vectors are held in memory."""
        from phrasebox.training import distributed

        limit = _free() * _SHARE / distributed.neighbours() if self.memory is None else self.memory
        return size <= limit


PLAIN = Execution()


def step_seed(images: np.ndarray) -> int:
    """A seed for the step on a batch of these images, from the seed of the epoch and without drawing a number."""
    import torch

    return (torch.initial_seed() * 1_000_003 + zlib.crc32(images.tobytes())) % 2**62


@contextmanager
def seeded(seed: int | None, device: str) -> Iterator[None]:
    """Draw random numbers from ``seed`` inside, and continue the previous sequence afterwards; None changes nothing.

    The parts of a batch are computed under seeds of their own: a second pass over a part draws the same dropout, and
    processes whose parts differ in size continue with the same random numbers.

    Examples
    --------
    >>> import torch
    >>> with seeded(7, "cpu"):
    ...     first = torch.rand(3)
    >>> with seeded(7, "cpu"):
    ...     torch.equal(torch.rand(3), first)
    True
    """
    if seed is None:
        yield
        return
    import torch

    with torch.random.fork_rng([torch.device(device)] if torch.device(device).type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _free() -> int:
    """Bytes of free memory on this machine, or in this container."""
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2  # where the system does not say
    try:
        known = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        free = int(known[1]) * 1024 if known else free
        limit, used = (int(path.read_text()) for path in _CGROUP)  # "max" where there is no limit
        free = min(free, max(0, limit - used))
    except (OSError, ValueError):
        pass
    return free

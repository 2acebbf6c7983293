"""How a training is computed, apart from what it learns: parts of batches, precision, compilation, memory."""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ByteSize, Field

from phrasebox.io.settings import settings

if TYPE_CHECKING:
    import torch

_SHARE = 0.5  # of the memory that is free, for vectors
_CGROUP = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


@settings
class Execution:
    """How a training is computed."""

    micro_batch: Annotated[int, Field(ge=0)] = 0
    "Images that a process takes through the networks at a time, for batches larger than memory; 0 takes its share."
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    "Precision of the products in the networks; weights, losses and validation are always in single precision."
    compile: bool = False
    "Compile the networks with torch.compile."
    memory: ByteSize | None = None
    "Size such as 4GB that the vectors of a process may take; more are read as needed. Half of what is free by default."

    def parts(self, own: slice) -> list[slice]:
        """Cut a process's rows of a batch into those of one pass each; an empty share is one empty part.

        Examples
        --------
        >>> Execution(micro_batch=2).parts(slice(4, 7))
        [slice(4, 6, None), slice(6, 7, None)]
        """
        size = self.micro_batch or max(1, own.stop - own.start)
        starts = range(own.start, own.stop, size) if own.stop > own.start else [own.start]
        return [slice(start, min(start + size, own.stop)) for start in starts]

    def autocast(self, device: str) -> AbstractContextManager:
        """The precision of what is computed inside."""
        if self.precision == "fp32":
            return nullcontext()
        import torch

        kind = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(torch.device(device).type, kind)

    def scaler(self, device: str) -> torch.amp.GradScaler:
        """Keeps small gradients of ``fp16`` from vanishing on a GPU; elsewhere it does nothing."""
        import torch

        kind = torch.device(device).type
        return torch.amp.GradScaler(kind, enabled=self.precision == "fp16" and kind == "cuda")

    @property
    def identity(self) -> list[str]:
        """What of this changes results by more than a sum's order; empty by default."""
        return [] if self.precision == "fp32" else [self.precision]

    @property
    def asked(self) -> dict[str, int | str | bool]:
        """What differs from the default, by the names of the options."""
        found = {"micro_batch": self.micro_batch, "precision": self.precision, "compile": self.compile}
        return {name: value for name, value in found.items() if value not in (0, "fp32", False)}

    def fits(self, size: int) -> bool:
        """Whether so many bytes of vectors are held in memory."""
        from phrasebox.training import distributed

        limit = _free() * _SHARE / distributed.neighbours() if self.memory is None else self.memory
        return size <= limit


PLAIN = Execution()


def _free() -> int:
    """Bytes of memory that are to be had on this machine, or in this container."""
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2  # where the system does not say
    try:
        known = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        free = int(known[1]) * 1024 if known else free
        limit, used = (int(path.read_text()) for path in _CGROUP)  # "max" where there is no limit
        free = min(free, max(0, limit - used))
    except (OSError, ValueError):
        pass
    return free

"""How a training is computed, apart from what it learns: parts of batches, precision, compilation, memory."""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from phrasebox.checks import at_least, one_of
from phrasebox.errors import SettingsError
from phrasebox.training import distributed

Precision = Literal["fp32", "bf16", "fp16"]
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_SHARE = 0.5  # of the memory that is free, for vectors
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_CGROUP = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


@dataclass(frozen=True, slots=True)
class Execution:
    """How a training is computed.

    Attributes
    ----------
    micro_batch : int
        Images that a process takes through the networks at a time; 0 for all of its share of a batch. The result is
        that of the whole batch, but for rounding.
    precision : {"fp32", "bf16", "fp16"}
        Of the products in the networks; weights, losses and validation are in single precision always.
    compile : bool
        Compile the networks with ``torch.compile``.
    memory : int or None
        Bytes that the vectors of a process may take; if they are more they are read as they are needed, with the same
        result. None for half of what is free.
    """

    micro_batch: int = 0
    precision: Precision = "fp32"
    compile: bool = False
    memory: int | None = None

    def __post_init__(self) -> None:
        at_least(self, 0, "micro_batch")
        one_of("precision", self.precision, ("fp32", "bf16", "fp16"))

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
        return torch.autocast(torch.device(device).type, _TYPES[self.precision])

    def scaler(self, device: str) -> torch.amp.GradScaler:
        """Keeps small gradients of ``fp16`` from vanishing on a GPU; elsewhere it does nothing."""
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
        limit = _free() * _SHARE / distributed.neighbours() if self.memory is None else self.memory
        return size <= limit


PLAIN = Execution()


def read_size(text: str) -> int:
    """Bytes of a size such as ``4GB``, ``512 MiB`` or ``1000000``.

    Raises
    ------
    SettingsError
        If it is none.

    Examples
    --------
    >>> read_size("4GB"), read_size("1.5 MiB")
    (4000000000, 1572864)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([KMGT]I?)?B?\s*", text.upper())
    if not found:
        raise SettingsError(f"memory {text!r} is no size; give one such as 4GB or 512MB")
    return int(float(found[1]) * _UNITS[found[2] or ""])


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

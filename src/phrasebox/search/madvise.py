"""``madvise``: asks the system to read parts of a memory-mapped file at once instead of page by page."""

from __future__ import annotations

import ctypes
import mmap
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_WILL_NEED = 3  # on Linux and macOS alike


def will_read(table: Tensor, starts: np.ndarray, stops: np.ndarray) -> None:
    """Ask the system to read rows [start, stop) of a memory-mapped table; does nothing where unsupported.

    Parameters
    ----------
    table : (n, h) tensor
    starts, stops : (C,) int64
    """
    if (advise := _madvise()) is None:
        return
    size = table.stride(0) * table.element_size()
    begin = table.data_ptr() + starts * size
    begin -= begin % mmap.PAGESIZE
    ends = table.data_ptr() + stops * size
    for first, last in zip(begin.tolist(), ends.tolist(), strict=True):
        advise(first, last - first, _WILL_NEED)


@cache
def _madvise() -> Any:
    try:
        found = ctypes.CDLL(None).madvise
    except (OSError, AttributeError, TypeError):
        return None
    found.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return found

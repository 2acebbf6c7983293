"""What is said to be read next is only advice: it changes nothing, and may be said of any rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from phrasebox.search import madvise


@pytest.fixture
def mapped(tmp_path):
    """A table of 5,000 rows of 512 bytes in a file."""
    table = torch.arange(5000 * 512).remainder(127).to(torch.int8).view(5000, 512)
    save_file({"before": torch.zeros(3), "table": table}, tmp_path / "table.safetensors")
    return load_file(tmp_path / "table.safetensors")["table"], table


def test_any_rows(mapped):
    found, expected = mapped
    madvise.will_read(found, np.array([0, 17, 4999]), np.array([1, 40, 5000]))
    madvise.will_read(found, np.array([], np.int64), np.array([], np.int64))
    assert torch.equal(found, expected)


def test_the_pages_of_the_rows_are_named(mapped, monkeypatch):
    found, _ = mapped
    named = []
    monkeypatch.setattr(madvise, "_madvise", lambda: lambda *asked: named.append(asked))
    madvise.will_read(found, np.array([17, 4000]), np.array([40, 4001]))
    for (start, length, advice), first, last in zip(named, (17, 4000), (40, 4001), strict=True):
        assert start % madvise.mmap.PAGESIZE == 0
        assert 0 <= found.data_ptr() + first * 512 - start < madvise.mmap.PAGESIZE
        assert start + length == found.data_ptr() + last * 512
        assert advice == 3


def test_where_the_system_cannot(mapped, monkeypatch):
    monkeypatch.setattr(madvise, "_madvise", lambda: None)
    found, expected = mapped
    madvise.will_read(found, np.array([0]), np.array([9]))
    assert torch.equal(found, expected)

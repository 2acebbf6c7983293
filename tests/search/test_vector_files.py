from __future__ import annotations

import os
from contextlib import suppress

import numpy as np
import pytest

from phrasebox.errors import WorkspaceError
from phrasebox.search import vector_files
from phrasebox.search.int8 import to_planes
from phrasebox.search.vector_files import Collection, Entry, add


def entry(n):
    vectors = np.random.default_rng(n).standard_normal((1 + n % 4, 12)).astype(np.float32)
    boxes = np.full((len(vectors), 4), n, np.float32)
    return Entry(f"ключ {n}", to_planes(vectors), n / 10, boxes, (n, 2 * n))


def contents(folder):
    found = {}
    for shard in Collection(folder).shards:
        for row in range(len(shard)):
            e = shard.entry(row)
            found[e.key] = (
                e.planes.high.tolist(),
                e.planes.low.tolist(),
                e.planes[2:],
                e.prior,
                e.boxes.tolist(),
                e.size,
            )
    return found


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr(vector_files, "FULL", 20)


def test_what_was_added_is_there_and_adding_in_parts_gives_the_same(tmp_path):
    once, parts = tmp_path / "once", tmp_path / "parts"
    once.mkdir(), parts.mkdir()
    assert add(once, map(entry, range(37))) == 37
    for start in range(0, 37, 5):
        add(parts, map(entry, range(start, min(start + 5, 37))))
    assert contents(once) == contents(parts)
    assert len(contents(once)) == len(Collection(once)) == 37
    e = Collection(once).shards[0].entry(0)
    assert e.planes.step == pytest.approx(entry(int(e.key.split()[1])).planes.step)
    assert len(Collection(parts).shards) == len(Collection(once).shards)


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("after", [False, True])
def test_stopped_at_any_file_it_goes_on_to_the_same(tmp_path, monkeypatch, at, after):
    """Stopped before a shard takes its place, or between that and the removal of the one it replaces."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir(), cut.mkdir()
    add(whole, map(entry, range(40)))
    add(cut, map(entry, range(7)))
    real, count = os.replace, iter(range(99))

    def replace(*paths):
        number = next(count)
        if number == at and not after:
            raise KeyboardInterrupt
        real(*paths)
        if number == at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(os, "replace", replace)
        add(cut, map(entry, range(7, 40)))
    assert next(count) == at + 1  # it was stopped
    there = set(Collection(cut).keys())
    assert {f"ключ {n}" for n in range(7)} <= there
    add(cut, (entry(n) for n in range(40) if f"ключ {n}" not in there))
    assert contents(cut) == contents(whole)
    assert {path.name for path in cut.iterdir()} == {shard.path.name for shard in Collection(cut).shards}


def test_what_is_open_stays_readable_when_the_last_shard_is_written_anew(tmp_path):
    add(tmp_path, map(entry, range(5)))
    before = Collection(tmp_path)
    keys = list(before.keys())
    add(tmp_path, map(entry, range(5, 9)))
    assert before.shards[0].vectors(np.arange(5)).shape[1] == 12
    assert list(before.keys()) == keys
    assert len(Collection(tmp_path)) == 9


def test_a_damaged_shard_is_named_with_its_remedy(tmp_path):
    add(tmp_path, map(entry, range(3)))
    path = Collection(tmp_path).shards[0].path
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(WorkspaceError, match=r"is damaged.*remove the folder"):
        Collection(tmp_path)


def test_nothing_is_written_where_the_folder_is_gone(tmp_path):
    with pytest.raises(WorkspaceError, match="cannot be written"):
        add(tmp_path / "gone", map(entry, range(3)))
    assert not (tmp_path / "gone").exists()

"""Vectors on disk are those in memory."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch

from phrasebox.text.word_vectors import DIM
from phrasebox.training.region_batch import collate
from phrasebox.training.stored_vectors import StoredRegions, StoredSentences, sampled_columns
from phrasebox.types import Regions
from phrasebox.workspace.workspace import Workspace


def regions_of(key, count, seed):
    rng = np.random.default_rng(seed)
    boxes = np.array([[0, 0, 10, 10], *[[i, i, i + 5, i + 4] for i in range(1, count)]], np.float32)
    vectors = rng.normal(size=(count, 150)).astype(np.float16)
    return Regions(boxes, np.ones(count, np.float32), 10 + seed, 20, vectors, key)


@pytest.fixture(params=[[3, 3, 3, 3, 3], [3, 1, 4, 2, 4]], ids=["even", "uneven"])
def written(request, tmp_path):
    """Regions in a workspace that was written in another order than is asked for, and the same in memory."""
    made = [regions_of(f"k{i}", count, i) for i, count in enumerate(request.param)]
    ws = Workspace.create(tmp_path / "ws")
    for part in (made[3:], made[:3]):
        ws.append_regions(part)
    return ws, made


def reader_of(ws, keys):
    import pyarrow as pa

    from phrasebox.workspace.region_reader import RegionReader

    return RegionReader(ws._tables.open("regions"), pa.array(keys))


def test_stored_regions_are_those_in_memory(written):
    ws, made = written
    reader = reader_of(ws, ["nobody", *(r.key for r in made)])
    assert reader.keys == [r.key for r in made]
    assert reader.counts.tolist() == [len(r) for r in made]
    stored, wanted = StoredRegions(reader, np.arange(5)), collate(made)
    assert (len(stored), stored.count, stored.width) == (5, wanted.count, wanted.width)
    for rows in ([0, 1, 2, 3, 4], [4, 0], [2, 2], [1]):
        found, part = stored[torch.tensor(rows)], wanted[torch.tensor(rows)]
        assert torch.equal(found.vectors, part.vectors)
        assert torch.equal(found.geometry, part.geometry)
        assert (found.mask is None) == (part.mask is None)
        if found.mask is not None:
            assert torch.equal(found.mask, part.mask)


def test_a_choice_of_the_stored_images(written):
    ws, made = written
    chosen = StoredRegions(reader_of(ws, [r.key for r in made]), np.array([3, 1]))
    assert torch.equal(chosen[torch.tensor([1])].vectors, collate([made[1]], chosen.count).vectors)
    nothing = chosen[torch.zeros(0, dtype=torch.int64)]
    assert (len(nothing), nothing.count, nothing.width) == (0, chosen.count, chosen.width)


def test_sampled_columns_are_the_same_numbers(written, monkeypatch):
    ws, made = written
    stored = import_module("phrasebox.training.stored_vectors")
    monkeypatch.setattr(stored, "_COLUMNS", 1)  # as few columns as can be
    monkeypatch.setattr(stored, "_IMAGES", 2)
    on_disk = StoredRegions(reader_of(ws, [r.key for r in made]), np.arange(5))
    for most in (3, 99):
        wanted = torch.cat([part for _, part in sampled_columns(collate(made), most)], 1)
        parts = list(sampled_columns(on_disk, most))
        assert len(parts) > 2
        assert torch.equal(torch.cat([part for _, part in parts], 1), wanted)
        means = torch.cat([part.mean(0) for _, part in parts])
        assert torch.equal(means, wanted.mean(0))


@pytest.mark.parametrize(("width", "numbers"), [(DIM, np.float16), (3, np.int32)])
def test_stored_sentences_are_those_in_memory(tmp_path, width, numbers):
    rng = np.random.default_rng(0)
    sentences = [rng.normal(scale=9, size=(n, width)).astype(numbers) for n in (3, 1, 5)]
    path = tmp_path / "numbers.words"
    path.write_bytes(b"".join(s.tobytes() for s in sentences))
    stored = StoredSentences(path, np.array([3, 1, 5]), width, numbers)
    for found in (list(stored), stored[0:3], stored.in_memory(), [stored[i] for i in (-3, -2, -1)]):
        assert len(found) == 3
        assert all(np.array_equal(a, b) for a, b in zip(found, sentences, strict=True))
    path.unlink()
    assert np.array_equal(stored[2], sentences[2])
    with pytest.raises(IndexError):
        stored[3]

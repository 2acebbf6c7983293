from __future__ import annotations

import numpy as np
import pytest
import torch

from phrasebox.search import scorer
from phrasebox.search.int8 import to_planes
from phrasebox.search.scorer import Query, score
from phrasebox.search.vector_files import Collection, Entry, add


def images_of(folder, count, scale=1.0, seed=0, full=None, monkeypatch=None):
    if full:
        monkeypatch.setattr("phrasebox.search.vector_files.FULL", full)
    rng = np.random.default_rng(seed)
    vectors = [(scale * rng.standard_normal((2 + n % 4, 24))).astype(np.float32) for n in range(count)]
    priors = rng.uniform(-1, 1, count).tolist()
    folder.mkdir(exist_ok=True)
    entries = [
        Entry(f"{n:03d}", to_planes(v), priors[n], np.zeros((len(v), 4), np.float32), (9, 9))
        for n, v in enumerate(vectors)
    ]
    add(folder, entries)
    return Collection(folder), {f"{n:03d}": (v, priors[n]) for n, v in enumerate(vectors)}


def brute(query, vectors, prior):
    """The formula, word by word."""
    total = sum(max(float(v @ s) for v in vectors) for s in query.vectors)
    return query.factor * total - query.share * prior


@pytest.mark.parametrize("scale", [1.0, 40.0])
@pytest.mark.parametrize("with_bytes", [True, False])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_k_are_those_of_the_formula(tmp_path, monkeypatch, scale, with_bytes, threads):
    images, data = images_of(tmp_path, 300, scale, full=200, monkeypatch=monkeypatch)
    assert len(images.shards) > 3
    if not with_bytes:
        monkeypatch.setattr(scorer, "int8_is_exact", lambda: False)
    monkeypatch.setattr(scorer, "_NUMBERS", 60)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        keys = list(images.keys())
        for seed in range(5):
            words = np.random.default_rng(seed).standard_normal((6, 24)).astype(np.float32)
            query = Query(words, 1 / 6, 0.35)
            truth = {key: brute(query, *data[key]) for key in keys}
            rows, scores = scorer.top(images, query, 10)
            assert [keys[row] for row in rows] == sorted(truth, key=lambda key: -truth[key])[:10]
            assert scores == pytest.approx([truth[keys[row]] for row in rows], abs=5e-4 * scale)
    finally:
        torch.set_num_threads(before)


def test_no_image_is_further_from_its_scan_than_it_may_be(tmp_path):
    images, _ = images_of(tmp_path, 200)
    query = Query(np.random.default_rng(1).standard_normal((5, 24)).astype(np.float32), 1.0, 0.35)
    scan, slack = scorer.scan_all(images, query)
    wrong = np.abs(scan - score(images, np.arange(len(images)), query).score)
    assert (wrong <= slack).all()
    assert slack.max() < 0.1 * scan.std() * len(query.vectors)  # of use: it is far below what tells images apart


def test_most_images_are_scored_once(tmp_path, monkeypatch):
    images, _ = images_of(tmp_path, 2000)
    looked = []
    monkeypatch.setattr(
        scorer, "score", lambda images, rows, query: looked.append(len(rows)) or score(images, rows, query)
    )
    scorer.top(images, Query(np.random.default_rng(1).standard_normal((5, 24)).astype(np.float32), 0.2, 0.0), 10)
    assert sum(looked) < 400


def test_of_equals_the_first_row_comes_first_and_all_of_few_are_found(tmp_path):
    same = to_planes(np.ones((2, 24), np.float32))
    tmp_path.mkdir(exist_ok=True)
    add(tmp_path, [Entry(str(n), same, 0.0, np.zeros((2, 4), np.float32), (9, 9)) for n in range(6)])
    query = Query(np.ones((1, 24), np.float32), 1.0, 0.0)
    assert scorer.top(Collection(tmp_path), query, 4)[0].tolist() == [0, 1, 2, 3]
    assert scorer.top(Collection(tmp_path), query, 99)[0].tolist() == [0, 1, 2, 3, 4, 5]


def test_more_are_asked_for_than_are_sorted_at_first(tmp_path, monkeypatch):
    images, data = images_of(tmp_path, 300)
    monkeypatch.setattr(scorer, "_AT_ONCE", 8)
    monkeypatch.setattr(scorer, "_SORTED", 16)
    query = Query(np.random.default_rng(1).standard_normal((2, 24)).astype(np.float32), 0.5, 0.1)
    keys = list(images.keys())
    truth = {key: brute(query, *data[key]) for key in keys}
    assert [keys[row] for row in scorer.top(images, query, 200)[0]] == sorted(truth, key=lambda k: -truth[k])[:200]


def test_the_region_of_every_word_is_the_first_of_the_best(tmp_path):
    images, data = images_of(tmp_path, 30)
    query = Query(np.random.default_rng(2).standard_normal((3, 24)).astype(np.float32), 1.0, 0.0)
    found = score(images, np.array([5, 2, 29]), query)
    keys = list(images.keys())
    for row, where in zip([5, 2, 29], found.where, strict=True):
        assert where.tolist() == (data[keys[row]][0] @ query.vectors.T).argmax(0).tolist()

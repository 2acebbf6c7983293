from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from phrasebox.aligner.score import best_of_equal_runs, best_regions, explained, maxsim, pair_scores
from phrasebox.search.int8 import to_planes


def plain(regions, words, lengths, mask, mean):
    """Padded sentences, a dense maximum, masks of -inf: what torch does by itself."""
    images, longest = len(regions), max([1, *lengths.tolist()])
    padded = regions.new_zeros(len(lengths), longest, regions.shape[2])
    real = torch.arange(longest)[None] < lengths[:, None]  # (L, T)
    padded = padded.masked_scatter(real[..., None].expand_as(padded), words)
    table = torch.einsum("bid,ltd->blti", regions, padded)
    if mask is not None:
        table = table.masked_fill(~mask[:, None, None], -torch.inf)
    best = table.max(-1).values.masked_fill(~real[None], -torch.inf)  # (B, L, T)
    total = torch.where(best == -torch.inf, 0, best).sum(-1).reshape(images, -1)
    return total / lengths.clamp(min=1) if mean else total


@st.composite
def problems(draw):
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    images, count, dim = (draw(st.integers(1, n)) for n in (4, 5, 6))
    lengths = torch.tensor(draw(st.lists(st.integers(0, 5), min_size=1, max_size=5)))
    regions = torch.randn(images, count, dim, dtype=torch.float64, generator=generator)
    words = torch.randn(int(lengths.sum()), dim, dtype=torch.float64, generator=generator)
    mask = None
    if draw(st.booleans()):
        kept = draw(st.lists(st.integers(1, count), min_size=images, max_size=images))
        mask = torch.arange(count)[None] < torch.tensor(kept)[:, None]
    weights = torch.randn(images, len(lengths), dtype=torch.float64, generator=generator)
    return regions, words, lengths, mask, draw(st.booleans()), weights


def with_gradients(function, regions, words, *rest, weights):
    regions, words = regions.clone().requires_grad_(), words.clone().requires_grad_()
    scores = function(regions, words, *rest)
    (scores * weights).sum().backward()
    return scores.detach(), regions.grad, words.grad


@given(problems(), st.sampled_from([1, 30, 16_000_000]))
def test_scores_and_gradients_equal_the_plain_version(problem, table):
    *arguments, weights = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("phrasebox.aligner.score"), "_TABLE", table)
        found = with_gradients(pair_scores, *arguments, weights=weights)
    for ours, theirs in zip(found, with_gradients(plain, *arguments, weights=weights), strict=True):
        torch.testing.assert_close(ours, theirs)


@given(problems(), st.sampled_from([1, 30, 16_000_000]))
def test_explained_is_the_mean_over_regions_of_their_best_words(problem, table):
    regions, words, lengths, mask, *_ = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("phrasebox.aligner.score"), "_TABLE", table)
        found = explained(regions, words, lengths, mask)
    for k, of_image in enumerate(regions):
        own = of_image if mask is None else of_image[mask[k]]
        for sentence, score in zip(words.split(lengths.tolist()), found[k].tolist(), strict=True):
            expected = sum(max(float(v @ s) for s in sentence) for v in own) / len(own) if len(sentence) else 0.0
            assert score == pytest.approx(expected)


def test_gradients_against_finite_differences():
    torch.manual_seed(0)
    regions = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    words = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    lengths = torch.tensor([2, 0, 3])
    assert torch.autograd.gradcheck(lambda v, s: pair_scores(v, s, lengths, mask, mean=True), (regions, words))


@pytest.mark.parametrize("table", [1, 16_000_000], ids=["a word at a time", "all at once"])
def test_padding_never_wins_where_all_scores_are_negative(table, monkeypatch):
    monkeypatch.setattr(import_module("phrasebox.aligner.score"), "_TABLE", table)
    regions = torch.tensor([[[-1.0], [-2.0], [0.0]], [[-3.0], [0.0], [0.0]]])  # zeros are padding
    mask = torch.tensor([[True, True, False], [True, False, False]])
    words = torch.tensor([[1.0], [2.0], [1.0]])
    scores = pair_scores(regions, words, torch.tensor([2, 1]), mask)
    assert scores.tolist() == [[-3.0, -1.0], [-9.0, -3.0]]


def test_gradient_reaches_the_best_region_and_no_other():
    regions = torch.tensor([[[1.0], [3.0], [2.0]]], requires_grad=True)
    best_regions(regions, torch.tensor([[1.0], [-2.0]])).sum().backward()
    assert regions.grad is not None
    assert regions.grad.flatten().tolist() == [-2.0, 1.0, 0.0]


def test_equal_regions_share_nothing():
    regions = torch.ones(1, 3, 1, requires_grad=True)
    best_regions(regions, torch.tensor([[1.0]])).sum().backward()
    assert regions.grad is not None
    assert sorted(regions.grad.flatten().tolist()) == [0.0, 0.0, 1.0]


def test_no_table_is_larger_than_allowed(monkeypatch):
    monkeypatch.setattr(import_module("phrasebox.aligner.score"), "_TABLE", 100)
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest = max(largest, out.numel())
            return out

    regions, words = torch.randn(2, 5, 3, requires_grad=True), torch.randn(90, 3)
    with Watch():
        best_regions(regions, words).sum().backward()
    assert largest <= 2 * 90 + 2 * 5 * 3 + 90 * 3  # outputs and inputs, never the 900 of a full table


def test_sentence_without_words_scores_zero():
    scores = pair_scores(torch.randn(3, 2, 4), torch.zeros(0, 4), torch.tensor([0, 0]), mean=True)
    assert scores.tolist() == [[0.0, 0.0]] * 3


@given(st.integers(0, 10**6), st.booleans(), st.integers(1, 4), st.sampled_from([0.01, 1.0, 30.0]))
def test_torch_numpy_and_int8_agree(seed, mean, images, scale):
    rng = np.random.default_rng(seed)
    counts, lengths = rng.integers(1, 6, images), rng.integers(1, 5, rng.integers(1, 4))
    regions = (scale * rng.standard_normal((counts.sum(), 16))).astype(np.float32)
    words = rng.standard_normal((lengths.sum(), 16)).astype(np.float32)
    parts = np.split(regions, np.cumsum(counts)[:-1])
    expected = [
        [sum(max(float(v @ s) for v in part) for s in sentence) / (len(sentence) if mean else 1)
         for sentence in np.split(words, np.cumsum(lengths)[:-1])]
        for part in parts
    ]  # fmt: skip
    tolerance = {"rtol": 1e-4, "atol": 1e-4 * scale}
    np.testing.assert_allclose(maxsim(regions, counts, words, lengths, mean), expected, **tolerance)
    padded = torch.zeros(images, int(counts.max()), 16)
    mask = torch.arange(int(counts.max())) < torch.from_numpy(counts)[:, None]
    padded[mask] = torch.from_numpy(regions)
    found = pair_scores(padded, torch.from_numpy(words), torch.from_numpy(lengths), mask, mean)
    np.testing.assert_allclose(found, expected, **tolerance)
    # Bytes, image by image: wrong by no more than the bound that `phrasebox.search.scorer` states.
    for part, row in zip(parts, expected, strict=True):
        image = to_planes(part)
        for sentence, truth in zip(np.split(words, np.cumsum(lengths)[:-1]), row, strict=True):
            planes = [to_planes(s[None]) for s in sentence]
            codes = np.concatenate([one.high for one in planes])
            products = torch.from_numpy(codes.astype(np.int32) @ image.high.astype(np.int32).T)
            best = best_of_equal_runs(products, len(part))[:, 0].numpy()
            scan = image.step * sum(one.step * b for one, b in zip(planes, best.tolist(), strict=True))
            slack = sum(
                float(np.linalg.norm(s)) * image.error + one.error * image.norm
                for s, one in zip(sentence, planes, strict=True)
            )
            factor = 1 / len(sentence) if mean else 1
            assert abs(factor * scan - truth) <= factor * slack + 1e-4 * max(scale, 1)

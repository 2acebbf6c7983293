from __future__ import annotations

from importlib import import_module

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from phrasebox.aligner.score import best_regions, pair_scores


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

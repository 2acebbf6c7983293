from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phrasebox.aligner.loss import contrastive_loss, margin_loss, objective


@st.composite
def batches(draw):
    images = draw(st.integers(1, 4))
    owner = sorted([*range(images), *draw(st.lists(st.integers(0, images - 1), max_size=4))])
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    owner = torch.tensor(owner)[torch.randperm(len(owner), generator=generator)]
    return torch.randn(images, len(owner), dtype=torch.float64, generator=generator) * 2, owner


def slow_margin(scores, owner, margin, combine):
    """For each sentence j of image k: its foreign images, and k's foreign sentences."""
    s, owner, total = scores.tolist(), owner.tolist(), 0.0
    for j, k in enumerate(owner):
        total += combine([max(0.0, s[i][j] - s[k][j] + margin) for i in range(len(s)) if i != k])
        total += combine([max(0.0, s[k][x] - s[k][j] + margin) for x in range(len(owner)) if owner[x] != k])
    return total / len(owner)


def hardest(costs):
    return max(costs, default=0.0)


@given(batches(), st.sampled_from([0.2, 1.0]), st.booleans())
def test_margin_equals_slow_loops(batch, margin, only_hardest):
    scores, owner = batch
    expected = slow_margin(scores, owner, margin, hardest if only_hardest else sum)
    assert float(margin_loss(scores, owner, margin, only_hardest)) == pytest.approx(expected)


@given(batches())
def test_contrastive_equals_slow_loops(batch):
    scores, owner = batch
    s, owners, total = scores.tolist(), owner.tolist(), 0.0
    for j, k in enumerate(owners):
        total -= math.log(math.exp(s[k][j]) / sum(math.exp(row[j]) for row in s))
        others = sum(math.exp(s[k][x]) for x in range(len(owners)) if owners[x] != k)
        total -= math.log(math.exp(s[k][j]) / (math.exp(s[k][j]) + others))
    assert float(contrastive_loss(scores, owner)) == pytest.approx(total / len(owners))


def test_paper_margin_of_one_caption_an_image():
    # C = sum_k [ sum_l max(0, S_kl - S_kk + 1) + sum_l max(0, S_lk - S_kk + 1) ], divided by the sentences
    s = torch.tensor([[3.0, 2.5, 0.0], [1.0, 2.0, 0.5], [2.9, 0.0, 1.0]])
    rows = (0.5 + 0.0) + (0.0 + 0.0) + (2.9 + 0.0)
    columns = (0.0 + 0.9) + (1.5 + 0.0) + (0.0 + 0.5)
    assert float(margin_loss(s, torch.arange(3))) == pytest.approx((rows + columns) / 3)


@pytest.mark.parametrize("name", ["margin-sum", "margin-hardest", "infonce"])
def test_captions_of_one_image_are_not_negatives_of_each_other(name):
    # Only sentences of image 0 score high on it: however high, they are no mistake.
    scores = torch.tensor([[50.0, 90.0, -50.0], [-50.0, -50.0, 50.0]], requires_grad=True)
    loss = objective(name, scores, torch.tensor([0, 0, 1]), margin=1.0)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad, torch.zeros(2, 3))


@pytest.mark.parametrize("name", ["margin-sum", "margin-hardest", "infonce"])
def test_gradient_is_that_of_the_loss(name):
    torch.manual_seed(1)
    scores = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    owner = torch.tensor([2, 0, 1, 1, 0])
    assert torch.autograd.gradcheck(lambda s: objective(name, s, owner, 0.7), (scores,))


@pytest.mark.parametrize("name", ["margin-sum", "infonce"])
def test_a_single_image_has_no_negative_and_no_gradient(name):
    scores = torch.randn(1, 2, requires_grad=True)
    objective(name, scores, torch.tensor([0, 0]), 1.0).backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [[0.0, 0.0]]

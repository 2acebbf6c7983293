"""Weights between those of a start and those of the model trained from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from phrasebox.aligner import AlignEpoch, AlignerModel, ModelSettings, Pairs
from phrasebox.aligner.train import recalls
from phrasebox.training.interpolation import BETWEEN, USUAL, Blend, best_between, interpolated
from phrasebox.training.region_batch import RegionBatch, geometry

SETTINGS = ModelSettings(vector_dim=6, dim=8, hidden=8)


def network(seed: int) -> AlignerModel:
    torch.manual_seed(seed)
    return AlignerModel(SETTINGS).eval()


def pairs(count: int = 30) -> Pairs:
    generator = torch.Generator().manual_seed(0)
    boxes = torch.tensor([[0.0, 0, 1, 1], [0, 0, 0.5, 0.5]]).expand(count, 2, 4)
    vectors = torch.rand(count, 2, 6, generator=generator)
    regions = RegionBatch(vectors, geometry(boxes, torch.ones(count), torch.ones(count)), None)
    sentences = [np.random.default_rng(i).normal(size=(3, 384)).astype(np.float16) for i in range(count)]
    return Pairs(regions, sentences, np.arange(count))


def measured(model: AlignerModel, name: str, validation: Pairs) -> AlignEpoch:
    forth, back = recalls(model, validation)
    return AlignEpoch(
        epoch=0, epochs=1, phase=name, loss=1.0, lr=0.1, seconds=0.0, temperature=15.0,
        image_to_sentence=forth, sentence_to_image=back,
    )  # fmt: skip


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_every_weight_is_that_far_from_the_start(share):
    start, end = network(0), network(1)
    between = interpolated(start, end, share).state_dict()
    for name, value in end.state_dict().items():
        torch.testing.assert_close(between[name], (1 - share) * start.state_dict()[name] + share * value)


@pytest.mark.parametrize("seeds", [(0, 1), (1, 0), (2, 3), (4, 5), (6, 7)])
def test_the_best_of_all_shares_is_kept(seeds):
    start, end = map(network, seeds)
    validation = pairs()
    lines = []
    found = best_between(
        Blend(start, 0.0, measured(start, "start", validation)), Blend(end, 1.0, measured(end, "align", validation)),
        lambda model: measured(model, "align", validation), lines.append,
    )  # fmt: skip
    scores = {share: measured(interpolated(start, end, share), "", validation).score for share in (0.0, *BETWEEN, 1.0)}
    assert found.epoch.score == max(scores.values())
    assert found.share == min(share for share, score in scores.items() if score == max(scores.values()))
    assert measured(found.model, "", validation).score == found.epoch.score
    assert f"{found.share:g} of the trained weights" in lines[0] or not found.share
    assert lines[0].endswith(found.epoch.validation)


def test_of_equal_models_the_start_is_kept():
    start, validation = network(0), pairs()
    first, last = (measured(start, name, validation) for name in ("start", "align"))
    end = Blend(network(0), 1.0, last)
    found = best_between(Blend(start, 0.0, first), end, lambda model: measured(model, "align", validation))
    assert (found.share, found.epoch) == (0.0, first)


def test_without_a_validation_split_half_of_the_way():
    lines, start, end = [], network(0), network(1)
    record = measured(end, "align", pairs())
    found = best_between(Blend(start, 0.0, record), Blend(end, 1.0, record), None, lines.append)
    assert (found.share, found.epoch) == (USUAL, record)
    assert "no val split" in lines[0]
    torch.testing.assert_close(found.model.state_dict(), interpolated(start, end, USUAL).state_dict())


def test_a_start_that_was_not_measured_tells_no_recall():
    record = AlignEpoch(epoch=-1, epochs=0, phase="", loss=math.nan, lr=0.0, seconds=0.0, temperature=1.0)
    assert record.figures == ""

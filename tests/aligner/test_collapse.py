from __future__ import annotations

import math

import pytest
import torch

from phrasebox.aligner import PRESETS, AlignerModel, ModelSettings, TrainSettings
from phrasebox.aligner.collapse import _SILENT, _sign, collapse
from phrasebox.aligner.train import train

SETTINGS = ModelSettings(vector_dim=32, dim=24, hidden=24, encoder="brnn", normalise=False, geometry=False)


@pytest.fixture(scope="module")
def pairs(world):
    return world(24, seed=1)[0]


def one_way(linear):
    linear.weight.zero_()
    linear.bias.fill_(1)


def zero(linear):
    linear.weight.zero_()
    linear.bias.fill_(0)


def nan(linear):
    linear.bias.fill_(math.nan)


@pytest.mark.parametrize(
    ("damage", "sign", "advice"),
    [
        (one_way, "all point one way", "--objective"),
        (zero, "nearly all zero", "another encoder than brnn"),
        (nan, "no longer finite", "--lr"),
    ],
)
@pytest.mark.parametrize("part", ["regions", "words"])
def test_fires_with_advice_on_collapsed_vectors(pairs, part, damage, sign, advice):
    torch.manual_seed(0)
    model = AlignerModel(SETTINGS).eval()
    with torch.no_grad():
        damage(model.heads[0].regions.linear if part == "regions" else model.heads[0].words.out)
    said = collapse(model, pairs)
    assert f"vectors of {part}" in said
    assert sign in said
    assert advice in said
    assert "\n" not in said


@pytest.mark.parametrize("beyond", [False, True])
def test_many_words_may_be_zero_but_not_nearly_all(beyond):
    count = 1000
    vectors = torch.randn(count, 8, generator=torch.Generator().manual_seed(0))
    vectors[: int(count * _SILENT) + beyond] = 0
    assert ("nearly all zero" in _sign(vectors)) is beyond
    assert 0.5 < _SILENT < 1  # words that describe nothing are half of all


@pytest.mark.parametrize("preset", ["paper", "modern"])
def test_silent_on_a_healthy_model(pairs, preset):
    torch.manual_seed(0)
    settings = ModelSettings(vector_dim=32, dim=24, hidden=24, encoder=PRESETS[preset].model.encoder)
    assert collapse(AlignerModel(settings).eval(), pairs) == ""
    trained = train(pairs, None, settings, TrainSettings(epochs=3, batch=12, warmup=1))
    assert collapse(trained.model, pairs) == ""
    assert [e.warning for e in trained.history] == [""] * 3


def test_padding_is_not_taken_for_zero_vectors(pairs):
    torch.manual_seed(0)
    model = AlignerModel(SETTINGS).eval()
    with torch.no_grad():
        model.heads[0].regions.linear.bias.zero_()
    padded = type(pairs.regions)(
        torch.nn.functional.pad(pairs.regions.vectors, (0, 0, 0, 20)),
        torch.nn.functional.pad(pairs.regions.geometry, (0, 0, 0, 20)),
        torch.arange(25)[None].expand(24, -1) < 5,
    )
    assert collapse(model, type(pairs)(padded, pairs.sentences, pairs.owner)) == ""

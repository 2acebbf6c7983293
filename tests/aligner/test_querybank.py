from __future__ import annotations

import math

import pytest
import torch

from phrasebox.aligner import Aligner, AlignerModel, Bank, ModelSettings
from phrasebox.aligner.querybank import SHARE
from phrasebox.errors import ModelError
from phrasebox.regions.settings import RegionSettings


@pytest.fixture
def made():
    torch.manual_seed(0)
    model = AlignerModel(ModelSettings(vector_dim=4, dim=3, hidden=4)).eval()
    unit = torch.nn.functional.normalize
    bank = Bank(
        unit(torch.randn(5, 3), dim=-1),
        torch.tensor([2, 3]),
        unit(torch.randn(2, 3, 3), dim=-1),
        torch.ones(2, 3, dtype=torch.bool),
    )
    v, s = unit(torch.randn(4, 3, 3), dim=-1), unit(torch.randn(6, 3), dim=-1)
    return model, bank, v, s, torch.tensor([4, 2])


def test_calibration_equals_a_slow_loop(made):
    model, bank, v, s, lengths = made
    scores = model.scores(v, s, lengths)
    found = bank.calibrated(model, scores, bank.image_prior(model, v), s, lengths)
    t = float(model.temperature)
    for k in range(4):
        strangers = model.scores(v[k : k + 1], bank.words, bank.lengths)[0].tolist()
        image = math.log(sum(math.exp(t * x) for x in strangers) / len(strangers)) / t
        for n, words in enumerate(s.split(lengths.tolist())):
            others = model.scores(bank.regions, words, lengths[n : n + 1])[:, 0].tolist()
            sentence = math.log(sum(math.exp(t * x) for x in others) / len(others)) / t
            assert float(found[k, n]) == pytest.approx(float(scores[k, n]) - SHARE * (image + sentence), abs=1e-5)


def test_it_is_saved_beside_the_model_and_checked(made, tmp_path):
    model, bank, *_ = made
    Aligner(model, RegionSettings(), bank=bank).save(tmp_path)
    back = Aligner.load(tmp_path).bank
    assert back is not None
    assert torch.allclose(back.words, bank.words, atol=1e-3)
    (tmp_path / "bank.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match=r"bank\.safetensors"):
        Aligner.load(tmp_path)

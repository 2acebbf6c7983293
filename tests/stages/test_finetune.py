"""Fine-tuning the last blocks of the networks together with an aligner."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from phrasebox import cli
from phrasebox.aligner import Aligner
from phrasebox.aligner.finetuned import pooled
from phrasebox.errors import SettingsError
from phrasebox.regions.backbones import load_network
from phrasebox.regions.roi_align import pool
from phrasebox.regions.settings import RegionSettings
from phrasebox.stages import finetune as tuning
from phrasebox.stages import stored_maps
from phrasebox.training.region_batch import RegionBatch, geometry
from phrasebox.workspace.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")
SECOND = ("--second", "efficientnet-lite0", "--second-size", "64")
QUICK = ("--epochs", "1", "--batch", "2", "--dim", "16", "--quiet")


def test_pooling_with_a_way_back_is_pooling():
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, 3, 5, 4, generator=generator)
    shares = torch.rand(2, 6, 2, generator=generator) * 0.5
    shares = torch.cat([shares, shares + 0.3], dim=2)
    shares[:, 0] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    expected = torch.stack(pool(maps, list(shares.numpy()), 3))
    expected[:, 0] = maps.mean((2, 3))
    torch.testing.assert_close(pooled(maps, shares, 3), expected)


def test_a_batch_keeps_its_maps():
    maps = torch.arange(2.0).view(2, 1, 1, 1)
    boxes = torch.tensor([[[0.0, 0, 1, 1], [0, 0, 1, 2]]] * 2)
    batch = RegionBatch(torch.zeros(2, 2, 3), geometry(boxes, torch.ones(2), torch.ones(2)), None, (maps,))
    assert batch[torch.tensor([1])].maps[0].flatten().tolist() == [1]
    kept = batch.some(torch.tensor([0]))
    assert (kept.count, kept.maps[0] is maps) == (1, True)


@pytest.fixture(scope="module", params=[(), SECOND], ids=["one network", "two networks"])
def tuned(request, stages, tmp_path_factory):
    """A workspace with a model whose networks are its own."""
    ws = tmp_path_factory.mktemp("tuned") / "ws"
    shutil.copytree(stages / "imported", ws)
    cli.main(["regions", str(ws), *SMALL, *request.param, "--quiet"])
    cli.main(["align", str(ws), *QUICK, "--name", "frozen"])
    cli.main(["align", str(ws), *QUICK, "--finetune", "1"])
    return ws


def test_its_networks_learned(tuned):
    aligner = Aligner.load(tuned / "models/aligner")
    assert aligner.about["finetuned_blocks"] == 1
    history = json.loads((tuned / "models/aligner/history.json").read_text())
    assert [epoch["epoch"] for epoch in history] == [0, 1, 2, 3]
    names = [aligner.region_settings.backbone, aligner.region_settings.second]
    for name in filter(None, names):
        own, base = load_network(name), load_network("efficientnet-lite0", 96)
        changed = [
            key for key, value in own.body.state_dict().items() if not torch.equal(value, base.body.state_dict()[key])
        ]
        assert changed
        assert all(".blocks.6." in key or "conv_head" in key or "bn2" in key for key in changed)
    assert not (tuned / "models/aligner/maps").exists()


def test_it_does_not_fit_the_old_regions_and_says_what_does(tuned, call):
    line = call("ground", tuned).reason
    assert "do not fit the aligner" in line
    assert f"phrasebox regions {tuned} --like {tuned / 'models/aligner'} --fresh" in line


def test_regions_made_like_it_fit(tuned, call, tmp_path):
    ws = tmp_path / "moved"
    shutil.copytree(tuned, ws)
    model = tmp_path / "model"
    shutil.copytree(ws / "models/aligner", model)
    shutil.rmtree(ws / "models/aligner")
    (before, *_), *_ = Workspace(ws).regions()
    assert call("regions", ws, "--like", model, "--fresh", "--quiet").code == 0
    (after, *_), *_ = Workspace(ws).regions()
    assert before.vectors.shape == after.vectors.shape
    assert not np.allclose(before.vectors, after.vectors, atol=1e-3)
    assert call("ground", ws, "--model", model, "--quiet").code == 0
    assert f"--backbone {model / 'networks/efficientnet-lite0-'}" in call("reproduce", ws).out
    # Saved elsewhere it takes its networks along, and still fits.
    Aligner.load(model).save(tmp_path / "copy")
    shutil.rmtree(model)
    assert call("ground", ws, "--model", tmp_path / "copy", "--quiet").code == 0


def test_a_stop_loses_no_map(tuned, call, monkeypatch, tmp_path):
    ws = tmp_path / "ws"
    shutil.copytree(tuned, ws)
    shutil.rmtree(ws / "models/aligner")
    monkeypatch.setattr(stored_maps, "BATCH", 2)
    ahead = stored_maps._ahead

    def two(*arguments):
        for count, batch in enumerate(ahead(*arguments)):
            if count == 1:
                raise KeyboardInterrupt
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(stored_maps, "_ahead", two)
        assert call("align", ws, *QUICK, "--finetune", "1").code == 130
    (begun,) = (ws / "models/aligner/maps").iterdir()
    size = begun.stat().st_size
    assert size
    seen = []
    monkeypatch.setattr(
        stored_maps,
        "_ahead",
        lambda pixels, images, *more: seen.append(len(images)) or ahead(pixels, images, *more),
    )
    assert call("align", ws, *QUICK, "--finetune", "1").code == 0
    images = Workspace(ws).count("images", "train")
    assert seen[0] == images - 2
    one, other = (Aligner.load(each / "models/aligner") for each in (ws, tuned))
    torch.testing.assert_close(one.model.state_dict(), other.model.state_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--pooling", "crops"), "--pooling roi"), ((), "has 7 blocks; fine-tune 1 to 7 of them, not 9")],
)
def test_what_cannot_be_tuned_is_refused(options, message, at, call):
    ws = at("imported")
    assert call("regions", ws, *SMALL, *options, "--quiet").code == 0
    assert message in call("align", ws, *QUICK, "--finetune", "9").reason


def test_one_process_tunes(monkeypatch):
    monkeypatch.setattr("phrasebox.stages.finetune.distributed.world", lambda: 2)
    with pytest.raises(SettingsError, match="without torchrun"):
        tuning.check_tunable(RegionSettings(), 1)


def test_a_tuned_network_is_not_tuned_again():
    with pytest.raises(SettingsError, match="mine-5a3c is already fine-tuned"):
        tuning.check_tunable(RegionSettings(backbone="ws/models/aligner/networks/mine-5a3c"), 1)

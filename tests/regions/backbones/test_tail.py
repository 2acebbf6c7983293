"""Cutting a network before its last blocks, and keeping those that were trained."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from phrasebox.errors import ModelError, SettingsError
from phrasebox.regions.backbones import load_backbone, load_network
from phrasebox.regions.backbones.finetuned import found_with, keep_with, same_network, save_tuned
from phrasebox.regions.backbones.tail import cut

PIXELS = torch.randint(256, (2, 64, 64, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("name", ["efficientnet-lite0", "timm:resnet18", "timm:convnext_atto", "timm:mobilenetv2_050"])
def test_the_halves_are_the_whole(name, blocks):
    network = load_network(name, 64, pretrained=False)
    halves = cut(network, blocks)
    with torch.inference_mode():
        between = halves.trunk(PIXELS)
        torch.testing.assert_close(halves.tail(between), network.body(PIXELS)[0], rtol=1e-3, atol=1e-3)
    assert tuple(between.shape[1:]) == halves.shape


def test_normalisation_keeps_its_statistics():
    tail = cut(load_network("efficientnet-lite0", 64), 1).tail.train()
    assert not any(module.training for module in tail.modules())
    assert all(parameter.requires_grad for parameter in tail.parameters())


@pytest.mark.parametrize("blocks", [0, 8])
def test_no_more_blocks_than_there_are(blocks):
    with pytest.raises(SettingsError, match=f"has 7 blocks; fine-tune 1 to 7 of them, not {blocks}"):
        cut(load_network("efficientnet-lite0", 64), blocks)


def test_a_network_of_another_kind_is_refused():
    with pytest.raises(ModelError, match="cannot be told apart"):
        cut(load_network("timm:vit_tiny_patch16_224", 224, pretrained=False), 1)


@pytest.fixture
def tuned(tmp_path):
    """A folder whose network differs from its base in the last block."""
    network = load_network("efficientnet-lite0", 64)
    tail = cut(network, 1).tail
    with torch.no_grad():
        for parameter in tail.parameters():
            parameter.mul_(1.5)
    return save_tuned(tmp_path / "mine", network, 1, tail)


def test_what_was_trained_is_loaded(tuned):
    base, own = load_network("efficientnet-lite0", 64), load_network(str(tuned))
    assert own.input_size == 64
    assert own.fingerprint != base.fingerprint
    with torch.inference_mode():
        before, after = cut(base, 1), cut(own, 1)
        torch.testing.assert_close(before.trunk(PIXELS), after.trunk(PIXELS))
        assert not torch.allclose(base.body(PIXELS)[0], own.body(PIXELS)[0])
    assert load_backbone(str(tuned), "torch").dim == 1280


def test_it_can_be_moved_and_copied(tuned, tmp_path):
    assert keep_with(tmp_path, "efficientnet-lite0") == "efficientnet-lite0"
    kept = keep_with(tmp_path / "model", str(tuned))
    assert kept == f"./networks/{tuned.name}"
    found = found_with(tmp_path / "model", kept)
    assert same_network(found, str(tuned))
    assert load_network(found).fingerprint == load_network(str(tuned)).fingerprint
    shutil.rmtree(tuned)
    assert keep_with(tmp_path / "model", str(tuned)) == kept
    with pytest.raises(ModelError, match="cannot be saved without it"):
        keep_with(tmp_path / "another", str(tuned))


def test_a_damaged_folder_is_told(tuned, tmp_path):
    with pytest.raises(ModelError, match="not a model folder"):
        load_network(str(tmp_path / "nothing"))
    config = json.loads((tuned / "config.json").read_text())
    (tuned / "config.json").write_text(json.dumps(config | {"base": str(tuned)}))
    with pytest.raises(ModelError, match="of another folder"):
        load_network(str(tuned))
    (tuned / "config.json").write_text(json.dumps(config | {"blocks": "many"}))
    with pytest.raises(ModelError, match="does not describe a network"):
        load_network(str(tuned))
    (tuned / "config.json").write_text(json.dumps(config))
    (tuned / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="safetensors"):
        load_network(str(tuned))
    with pytest.raises(SettingsError, match="unknown backbone 'mine'"):
        load_network("mine")

"""Models of open_clip; the first test pins what is relied on in the installed version of the library."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest
import torch

from phrasebox.errors import ModelError, SettingsError
from phrasebox.regions.backbones import load_backbone, load_network
from phrasebox.regions.backbones.open_clip_backbone import load_whole
from phrasebox.regions.backbones.value_path import as_grid, block_values, latent_values
from tiny_towers import PATCH, SHARED, SIDE, WIDTH, made, open_clip_model

PIXELS = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)


@pytest.fixture
def native(made_once):
    return made("open_clip:native", made_once)


@pytest.fixture
def pooled(made_once):
    return made("open_clip:pooled", made_once)


def images(pixels: np.ndarray) -> torch.Tensor:
    return (torch.tensor(pixels).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25


def test_contract_native(native):
    visual = load_whole(native).visual
    alone = torch.full((17, 17), -torch.inf).fill_diagonal_(0)
    with torch.inference_mode():
        found = visual.forward_intermediates(images(PIXELS), output_fmt="NLC", output_extra_tokens=True)
        before = torch.cat([found["image_intermediates_prefix"][-2], found["image_intermediates"][-2]], 1)
        last = visual.transformer.resblocks[-1]
        torch.testing.assert_close(block_values(last, before), last(before, attn_mask=alone))
        expected = (visual.ln_post(last(before, attn_mask=alone)) @ visual.proj)[:, 1:]
    maps = load_backbone(native, "torch").maps(PIXELS)
    assert maps.shape == (2, SHARED, SIDE // PATCH, SIDE // PATCH)
    torch.testing.assert_close(maps.clone(), as_grid(expected, 4, 4).clone(), rtol=1e-4, atol=1e-5)


def test_contract_pooled_of_one_patch_is_the_whole_model(pooled):
    """Attention over one patch is its value, so that the whole model gives what the value path does."""
    visual = load_whole(pooled).visual
    tokens = torch.randn(2, 1, WIDTH, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        pool = visual.trunk.attn_pool
        torch.testing.assert_close(latent_values(pool, tokens)[:, 0], pool(tokens))
        backbone = load_backbone(pooled, "torch", input_size=PATCH)
        visual.trunk.set_input_size(img_size=(PATCH, PATCH))
        expected = visual(images(PIXELS[:, :PATCH, :PATCH]))
    found = backbone.maps(PIXELS[:, :PATCH, :PATCH])[:, :, 0, 0]
    torch.testing.assert_close(found.clone(), expected.clone(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["native", "pooled"])
def test_layers_and_shapes(kind, made_once):
    name = made(f"open_clip:{kind}", made_once)
    plain, more = (load_backbone(name, "torch", layers=layers) for layers in ((), (1, 2)))
    shared = {"native": SHARED, "pooled": WIDTH}[kind]
    assert (plain.dim, more.dim) == (shared, shared + 2 * WIDTH)
    assert (plain.step, plain.stride, plain.input_size) == (PATCH, PATCH, SIDE)
    torch.testing.assert_close(more.maps(PIXELS)[:, :shared].clone(), plain.maps(PIXELS).clone())
    height, width = plain.shape_for(200, 100)
    image = np.zeros((1, height, width, 3), np.uint8)
    marked = image.copy()
    marked[0, PATCH : 2 * PATCH, 4 * PATCH : 5 * PATCH] = 255
    change = (plain.maps(marked) - plain.maps(image)).abs().sum(1)[0]
    assert (change.shape, divmod(int(change.argmax()), 6)) == ((3, 6), (1, 4))


def test_openvino_gives_the_same_maps(native):
    plain, fast = (load_backbone(native, engine, layers=(1,)) for engine in ("torch", "openvino"))
    for shape in (SIDE, SIDE), plain.shape_for(200, 100):
        pixels = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), np.uint8)
        torch.testing.assert_close(fast.maps(pixels), plain.maps(pixels).clone(), rtol=1e-3, atol=1e-4)


def test_what_is_wrong_is_one_line(native, tmp_path: Path):
    with pytest.raises(ModelError, match="give --size 96"):
        load_network(native, 100)
    with pytest.raises(ModelError, match="names no weights; add one of them, as open_clip:ViT-B-32/WEIGHTS: openai"):
        load_network("open_clip:ViT-B-32")
    with pytest.raises(SettingsError, match="open_clip has no model 'nonsense'"):
        load_network("open_clip:nonsense")
    with pytest.raises(ModelError, match="there is no folder"):
        load_network(f"open_clip:{tmp_path / 'nothing'}")
    (tmp_path / "open_clip_config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot load open_clip:") as caught:
        load_network(f"open_clip:{tmp_path}")
    assert "\n" not in str(caught.value)


def test_an_image_side_of_another_kind_is_told(tmp_path: Path):
    open_clip_model({"image_size": SIDE, "layers": [1, 1, 1, 1], "width": 8})(tmp_path)
    with pytest.raises(ModelError, match="neither a vision transformer of CLIP nor of SigLIP"):
        load_network(f"open_clip:{tmp_path}")


def test_the_missing_package_is_named(native, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "open_clip":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModelError, match=r"pip install 'phrasebox\[open-clip\]'"):
        load_network(native)

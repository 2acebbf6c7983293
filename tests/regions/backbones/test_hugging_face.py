"""Vision models of transformers; the first tests pin what is relied on in the installed version of the library."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from phrasebox.errors import ModelError, SettingsError
from phrasebox.regions.backbone_names import folder_in
from phrasebox.regions.backbones import load_backbone, load_network
from phrasebox.regions.backbones.transformers_models import load_whole
from phrasebox.regions.backbones.value_path import layer_values
from tiny_towers import BLOCKS, FAMILIES, PATCH, SHARED, SIDE, WIDTH, made

HF = [name for name in FAMILIES if name.startswith("hf:")]
PIXELS = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
ALONE = torch.full((5, 5), -torch.inf).fill_diagonal_(0)[None, None]
"""Mask with which each of five tokens attends to itself alone."""


def prepared(pixels: np.ndarray, mean: list[float], std: list[float]) -> torch.Tensor:
    """As a processor of transformers prepares pixels that need no resizing."""
    scaled = torch.tensor(pixels).permute(0, 3, 1, 2) / 255
    return (scaled - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


@pytest.fixture
def tower(made_once):
    return lambda name: made(f"hf:{name}", made_once)


@pytest.mark.parametrize("kind", ["clip", "metaclip2"])
def test_contract_clip(tower, kind):
    model = load_whole(tower(kind))
    tokens = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        layer = model.vision_model.encoder.layers[-1]
        torch.testing.assert_close(layer_values(layer, tokens), layer(tokens, ALONE))
        images = prepared(PIXELS, [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
        found = model.vision_model(images, output_hidden_states=True).hidden_states[-2]
        expected = model.visual_projection(model.vision_model.post_layernorm(layer_values(layer, found)))[:, 1:]
    maps = load_backbone(tower(kind), "torch").maps(PIXELS)
    assert maps.shape == (2, SHARED, SIDE // PATCH, SIDE // PATCH)
    torch.testing.assert_close(maps.flatten(2).transpose(1, 2).clone(), expected.clone(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_contract_siglip_of_one_patch_is_its_head(tower, kind):
    """Attention over one patch is its value, so that the whole model gives what the value path does."""
    model, backbone = load_whole(tower(kind)), load_backbone(tower(kind), "torch", input_size=PATCH)
    one = PIXELS[:, :PATCH, :PATCH]
    image = prepared(one, [0.5] * 3, [0.5] * 3)
    with torch.inference_mode():
        if kind == "siglip":
            expected = model.get_image_features(pixel_values=image, interpolate_pos_encoding=True)
        else:
            read = transformers.Siglip2ImageProcessor.from_pretrained(folder_in(tower(kind)), max_num_patches=1)
            expected = model.get_image_features(**read(list(one), return_tensors="pt"))
    found = backbone.maps(one)[:, :, 0, 0]
    torch.testing.assert_close(found.clone(), expected.pooler_output.clone(), rtol=1e-3, atol=1e-4)


def test_contract_naflex_reads_the_patches_of_its_processor(tower):
    model = load_whole(tower("siglip2"))
    read = transformers.Siglip2ImageProcessor.from_pretrained(folder_in(tower("siglip2")))
    wide = np.random.default_rng(1).integers(0, 256, (32, 96, 3), np.uint8)
    inputs = read([wide], return_tensors="pt")
    kept = inputs["pixel_attention_mask"][0].bool()
    assert inputs["spatial_shapes"].tolist() == [[2, 6]]
    body = load_network(tower("siglip2")).body
    with torch.inference_mode():
        tokens = model.vision_model(**inputs).last_hidden_state[:, kept]
        own = body.embed(prepared(wide[None], [0.5] * 3, [0.5] * 3))
        for block in body.vision.encoder.layers:
            own = block(own, None)
        torch.testing.assert_close(body.norm(own), tokens, rtol=1e-4, atol=1e-5)


def test_contract_tips_and_dinos_are_the_last_hidden_state(tower):
    for kind, prefix in (("tipsv2", 2), ("dinov2", 1), ("dinov3", 3)):
        model = load_whole(tower(kind))
        vision = getattr(model, "vision_model", model)
        mean, std = ([0.0] * 3, [1.0] * 3) if kind == "tipsv2" else ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        with torch.inference_mode():
            tokens = vision(pixel_values=prepared(PIXELS, mean, std)).last_hidden_state[:, prefix:]
        maps = load_backbone(tower(kind), "torch").maps(PIXELS)
        torch.testing.assert_close(maps.flatten(2).transpose(1, 2).clone(), tokens.clone(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", HF)
def test_layers_follow_the_last_map(name, made_once):
    plain = load_backbone(made(name, made_once), "torch")
    more = load_backbone(made(name, made_once), "torch", layers=(1, 2))
    assert more.dim == plain.dim + 2 * WIDTH
    assert (more.stride, more.step, more.input_size, more.levels) == (PATCH, PATCH, SIDE, ())
    torch.testing.assert_close(more.maps(PIXELS)[:, : plain.dim].clone(), plain.maps(PIXELS).clone())
    assert len({plain.fingerprint, more.fingerprint}) == 2
    with pytest.raises(SettingsError, match=f"has {BLOCKS} blocks; choose among 1 to {BLOCKS - 1}"):
        load_network(made(name, made_once), layers=(BLOCKS,))


@pytest.mark.parametrize("name", HF)
def test_a_wide_image_keeps_its_rows_and_columns(name, made_once):
    backbone = load_backbone(made(name, made_once), "torch")
    assert backbone.shape_for(SIDE, SIDE) == (SIDE, SIDE)
    height, width = backbone.shape_for(200, 100)
    assert (height, width) == (3 * PATCH, 6 * PATCH)
    image = np.zeros((1, height, width, 3), np.uint8)
    marked = image.copy()
    marked[0, PATCH : 2 * PATCH, 4 * PATCH : 5 * PATCH] = 255
    change = (backbone.maps(marked) - backbone.maps(image)).abs().sum(1)[0]
    assert change.shape == (3, 6)
    assert divmod(int(change.argmax()), 6) == (1, 4)
    with pytest.raises(SettingsError, match="takes uint8 images"):
        backbone.maps(image[:, :, :-1])


@pytest.mark.parametrize("kind", ["clip", "siglip2"])
def test_openvino_gives_the_same_maps(tower, kind):
    plain, fast = (load_backbone(tower(kind), engine, layers=(1,)) for engine in ("torch", "openvino"))
    for shape in (SIDE, SIDE), plain.shape_for(200, 100):
        pixels = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), np.uint8)
        torch.testing.assert_close(fast.maps(pixels), plain.maps(pixels).clone(), rtol=1e-3, atol=1e-4)


def test_what_openvino_cannot_run_runs_on_torch(tower):
    assert load_backbone(tower("dinov3")).engine == "torch"
    with pytest.raises(SettingsError, match="'openvino' cannot run"):
        load_backbone(tower("dinov3"), "openvino")


def test_bfloat16_is_near_float32(tower):
    plain, short = (load_backbone(tower("clip"), "torch", precision=p) for p in ("fp32", "bf16"))
    one, other = plain.maps(PIXELS).flatten(1), short.maps(PIXELS).flatten(1)
    assert other.dtype == torch.float32
    assert not torch.equal(one, other)
    assert torch.nn.functional.cosine_similarity(one, other).min() > 0.99
    assert load_backbone(tower("clip"), precision="bf16").engine == "torch"
    with pytest.raises(SettingsError, match="computes in fp32"):
        load_backbone(tower("clip"), "openvino", precision="bf16")


@pytest.fixture
def copied(tower, tmp_path) -> Path:
    return Path(shutil.copytree(folder_in(tower("clip")), tmp_path / "clip"))


def test_what_is_wrong_with_a_model_is_one_line(copied, tmp_path, tower):
    with pytest.raises(ModelError, match=r"patches of 16 pixels and takes no side of 100; give --size 96"):
        load_network(f"hf:{copied}", 100)
    with pytest.raises(ModelError, match="there is no folder"):
        load_network(f"hf:{tmp_path / 'nothing'}")
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot load hf:") as caught:
        load_network(f"hf:{copied}")
    assert "\n" not in str(caught.value)
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(ModelError, match="of the kind 'bert', which gives no feature maps"):
        load_network(f"hf:{copied}")
    for file in ("preprocessor_config.json", "processor_config.json"):
        (copied / file).unlink(missing_ok=True)
    with pytest.raises(ModelError, match=r"no preprocessor_config\.json"):
        load_network(f"hf:{copied}")


def test_weights_that_lack_a_part_are_refused(copied):
    from safetensors.torch import load_file, save_file

    tensors = load_file(copied / "model.safetensors")
    del tensors["visual_projection.weight"]
    save_file(tensors, copied / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"lack visual_projection\.weight"):
        load_network(f"hf:{copied}")


def test_an_older_library_is_told(copied, monkeypatch):
    monkeypatch.setattr("phrasebox.regions.backbones.transformers_models.metadata.version", lambda name: "4.48.0")
    with pytest.raises(ModelError, match="needs transformers 5 or newer"):
        load_network(f"hf:{copied}")

"""The text side of image-text models gives what the whole model of its library gives."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from phrasebox.aligner.priors.text_towers import load_text_tower
from phrasebox.errors import ModelError
from phrasebox.regions.backbone_names import folder_in
from phrasebox.regions.backbones import load_network, open_clip_backbone
from phrasebox.regions.backbones.transformers_models import load_whole
from tiny_towers import IMAGE_TEXT, IMAGES, WIDTH, made

TEXTS = ["a photo of a dog.", "a photo of a rocket.", "the cat"]


@pytest.mark.parametrize("name", [name for name in IMAGE_TEXT if name.startswith("hf:")])
def test_contract_transformers(name, made_once):
    from transformers import AutoTokenizer

    whole, tower = load_whole(made(name, made_once)), load_text_tower(made(name, made_once))
    tokenizer = AutoTokenizer.from_pretrained(folder_in(made(name, made_once)))
    read = tokenizer(TEXTS, padding="max_length", max_length=12, return_tensors="pt")
    siglip = "siglip" in name
    inputs = {"input_ids": read["input_ids"]} | ({} if siglip else {"attention_mask": read["attention_mask"]})
    with torch.inference_mode():
        drawn = torch.Generator().manual_seed(0)
        pixels = {"pixel_values": torch.randn(1, 3, 64, 64, generator=drawn)}
        if name == "hf:siglip2":
            patches = {"pixel_values": torch.randn(1, 1, 768, generator=drawn)}
            pixels = {**patches, "pixel_attention_mask": torch.ones(1, 1), "spatial_shapes": torch.tensor([[1, 1]])}
        found = whole(**inputs, **pixels)
        cosines = found.text_embeds @ found.image_embeds.T
        factor = (found.logits_per_text[0] - found.logits_per_text[2]) / (cosines[0] - cosines[2])  # most unlike texts
    torch.testing.assert_close(tower.encode(TEXTS).clone(), found.text_embeds.clone(), rtol=1e-4, atol=1e-5)
    assert tower.scale == pytest.approx(float(factor), rel=1e-2)
    assert (tower.patch_width, tower.width) == (WIDTH, load_network(made(name, made_once)).shared)


@pytest.mark.parametrize("name", [name for name in IMAGE_TEXT if name.startswith("open_clip:")])
def test_contract_open_clip(name, made_once):
    import open_clip

    whole, tower = open_clip_backbone.load_whole(made(name, made_once)), load_text_tower(made(name, made_once))
    tokens = open_clip.get_tokenizer(f"local-dir:{folder_in(made(name, made_once))}")(TEXTS)
    with torch.inference_mode():
        expected = whole.encode_text(tokens, normalize=True)
    torch.testing.assert_close(tower.encode(TEXTS).clone(), expected.clone(), rtol=1e-4, atol=1e-5)
    assert tower.scale == pytest.approx(float(whole.logit_scale.exp()))
    assert (tower.patch_width, tower.width) == (WIDTH, load_network(made(name, made_once)).shared)


def test_a_model_of_images_alone_has_none(made_once):
    assert all(load_text_tower(made(name, made_once)) is None for name in IMAGES)
    assert load_text_tower("timm:resnet50") is None


def test_a_missing_tokenizer_is_one_line(made_once, tmp_path):
    copied = Path(shutil.copytree(folder_in(made("hf:clip", made_once)), tmp_path / "clip"))
    for file in copied.glob("token*"):
        file.unlink()
    with pytest.raises(ModelError, match=r"the tokenizer of hf:\S+ is missing") as caught:
        load_text_tower(f"hf:{copied}")
    assert "\n" not in str(caught.value)

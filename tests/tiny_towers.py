"""Tiny models with random weights of every family of backbones, saved as the hub and the libraries lay them out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SIDE, PATCH, WIDTH, SHARED, BLOCKS = 64, 16, 32, 24, 3
WORDS = "a photo of the dog cat rocket man woman motorcycle green eyes runs stands on with".split()  # noqa: SIM905

_VISION = {
    "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": BLOCKS, "num_attention_heads": 4,
    "image_size": SIDE, "patch_size": PATCH,
}  # fmt: skip
_TEXT = {
    "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "vocab_size": len(WORDS) + 3, "max_position_embeddings": 12,
}  # fmt: skip
_EOS = len(WORDS) + 2
_IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": _EOS}


def _tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["<pad>", "<unk>", *WORDS, "<end>"])}
    words = Tokenizer(models.WordLevel(vocabulary, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    words.post_processor = processors.TemplateProcessing("$A <end>", None, [("<end>", _EOS)])  # type: ignore[assignment]
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", eos_token="<end>"
    ).save_pretrained(folder)


def _clip(folder: Path) -> None:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    config = CLIPConfig(vision_config=dict(_VISION), text_config={**_TEXT, **_IDS}, projection_dim=SHARED)
    CLIPModel(config).save_pretrained(folder)
    size = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    CLIPImageProcessor(**size).save_pretrained(folder)
    _tokenizer(folder)


def _metaclip2(folder: Path) -> None:
    from transformers import CLIPImageProcessor, MetaClip2Config, MetaClip2Model

    config = MetaClip2Config(vision_config=dict(_VISION), text_config={**_TEXT, **_IDS}, projection_dim=SHARED)
    MetaClip2Model(config).save_pretrained(folder)
    size = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    CLIPImageProcessor(**size).save_pretrained(folder)
    _tokenizer(folder)


def _siglip(folder: Path) -> None:
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    config = SiglipConfig(vision_config=dict(_VISION), text_config={**_TEXT, **_IDS})
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    _tokenizer(folder)


def _siglip2(folder: Path) -> None:
    from transformers import Siglip2Config, Siglip2ImageProcessor, Siglip2Model

    vision = {name: value for name, value in _VISION.items() if name != "image_size"}
    config = Siglip2Config(vision_config={**vision, "num_patches": 16}, text_config={**_TEXT, **_IDS})
    Siglip2Model(config).save_pretrained(folder)
    Siglip2ImageProcessor(patch_size=PATCH, max_num_patches=16).save_pretrained(folder)
    _tokenizer(folder)


def _tips(folder: Path) -> None:
    from transformers import Tipsv2Config, Tipsv2ImageProcessor, Tipsv2Model

    vision = {**_VISION, "mlp_ratio": 2}
    del vision["intermediate_size"]
    Tipsv2Model(Tipsv2Config(vision_config=vision, text_config={**_TEXT, "pad_token_id": 0})).save_pretrained(folder)
    Tipsv2ImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    _tokenizer(folder)


def _dino(config: Callable[..., Any], model: str, **more: Any) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        import transformers

        vision = {name: value for name, value in _VISION.items() if name != "intermediate_size"} | more
        getattr(transformers, model)(getattr(transformers, config)(**vision)).save_pretrained(folder)  # type: ignore[arg-type]
        processor = transformers.BitImageProcessor(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE},
            image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
        )  # fmt: skip
        processor.save_pretrained(folder)

    return fill


def open_clip_model(vision: dict[str, Any], shared: int = SHARED) -> Callable[[Path], None]:
    """What fills a folder with a model of open_clip whose image side has these settings."""

    def fill(folder: Path) -> None:
        import open_clip
        from safetensors.torch import save_file

        _register()

        text = {"context_length": 16, "vocab_size": 49408, "width": WIDTH, "heads": 4, "layers": 2}
        config = {
            "model_cfg": {"embed_dim": shared, "vision_cfg": vision, "text_cfg": text},
            "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear"},
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        model = open_clip.create_model(f"local-dir:{folder}", load_weights=False, pretrained_text=False)
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")

    return fill


def _register() -> None:
    """Tell timm of a small image side as SigLIP has; open_clip creates it by its name."""
    import timm
    from timm.models import register_model
    from timm.models.vision_transformer import VisionTransformer

    def tiny_siglip(pretrained: bool = False, num_classes: int = 0, **kwargs: Any) -> VisionTransformer:
        return VisionTransformer(
            SIDE, PATCH, embed_dim=WIDTH, depth=BLOCKS, num_heads=4, num_classes=num_classes, class_token=False,
            global_pool="map",
        )  # fmt: skip

    if not timm.is_model("tiny_siglip"):
        register_model(tiny_siglip)


_NATIVE = {"image_size": SIDE, "patch_size": PATCH, "width": WIDTH, "layers": BLOCKS, "head_width": 8}
_POOLED = {"timm_model_name": "tiny_siglip", "timm_pool": "map", "timm_proj": "none", "image_size": SIDE}

IMAGE_TEXT = {
    "hf:clip": _clip,
    "hf:siglip": _siglip,
    "hf:siglip2": _siglip2,
    "hf:tipsv2": _tips,
    "open_clip:native": open_clip_model(_NATIVE),
    "open_clip:pooled": open_clip_model(_POOLED, WIDTH),
}
"""Name -> what fills a folder with a model that reads texts too."""

IMAGES = {
    "hf:dinov2": _dino("Dinov2Config", "Dinov2Model", mlp_ratio=2),
    "hf:dinov3": _dino("DINOv3ViTConfig", "DINOv3ViTModel", intermediate_size=48, num_register_tokens=2),
}
"""The same of models that read images alone."""

FAMILIES = {**IMAGE_TEXT, "hf:metaclip2": _metaclip2, **IMAGES}


def made(name: str, made_once: Callable[[str, Callable[[Path], None]], Path]) -> str:
    """The backbone's name of a tiny model, in a folder that is made once a run of the tests."""
    prefix, _, own = name.partition(":")
    if own == "pooled":
        _register()  # once a process

    def fill(folder: Path) -> None:
        torch.manual_seed(0)
        FAMILIES[name](folder)

    return f"{prefix}:{made_once(f'{prefix}-{own}', fill)}"

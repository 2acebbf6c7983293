"""The text side of image-text models: a text in, a vector in the space of the image's patches out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from phrasebox.errors import ModelError
from phrasebox.regions.backbone_names import HF, OPEN_CLIP, not_loaded
from phrasebox.regions.backbones.network import digest

_BATCH = 64  # texts encoded at a time
_APART = ("dog", "cat")  # words that no tokenizer may take for the same
_LENGTH = 64  # tokens of a text where the model does not say


@dataclass(frozen=True, eq=False)
class TextTower:
    """The text side of an image-text model.

    Attributes
    ----------
    features : callable
        N texts -> (N, E), of any length.
    width : int
        E.
    scale : float
        What the model multiplies cosines with before a softmax; the inverse of its temperature.
    patch_width : int
        Channels of the image side's blocks.
    fingerprint : str
        Equal for towers that give the same numbers.
    """

    features: Callable[[Sequence[str]], Tensor]
    width: int
    scale: float
    patch_width: int
    fingerprint: str

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (N, E) float32 of texts."""
        parts = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        with torch.inference_mode():
            found = [F.normalize(self.features(part).float(), dim=-1) for part in parts]
        return torch.cat(found) if found else torch.zeros(0, self.width)


def load_text_tower(name: str) -> TextTower | None:
    """The text side of a backbone's model; None if the model reads no texts.

    Parameters
    ----------
    name : str
        As for `phrasebox.regions.backbones.load_backbone`.

    Raises
    ------
    ModelError
        If the model or its tokenizer cannot be had.
    """
    if name.startswith(HF):
        return _hugging_face(name)
    return _open_clip(name) if name.startswith(OPEN_CLIP) else None


def _hugging_face(name: str) -> TextTower | None:
    from phrasebox.regions.backbones.transformers_models import (
        IMAGE_TEXT,
        SIGLIP_LIKE,
        load_config,
        load_whole,
        reading,
        where,
    )

    config = load_config(name)
    if config.model_type not in IMAGE_TEXT:
        return None
    from transformers import AutoTokenizer

    source, options = where(name)
    with reading(name):
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        if len({tuple(tokenizer(word)["input_ids"]) for word in _APART}) < len(_APART):
            # The library makes an empty one where the files are not there.
            raise ModelError(f"the tokenizer of {name} is missing; name another copy of the model")
    model = load_whole(name)
    del model.vision_model
    length = getattr(config.text_config, "max_position_embeddings", None) or _LENGTH
    masked = config.model_type not in SIGLIP_LIKE  # those were trained with padding like any other token

    def features(texts: Sequence[str]) -> Tensor:
        read = tokenizer(list(texts), padding="max_length", truncation=True, max_length=length, return_tensors="pt")
        mask = {"attention_mask": read["attention_mask"]} if masked else {}
        return _pooled(model.get_text_features(input_ids=read["input_ids"], **mask))

    temperature = getattr(model, "temperature", None)
    scale = model.logit_scale.detach().exp() if temperature is None else 1 / temperature.detach()
    with torch.inference_mode():
        width = features(["a"]).shape[1]
    return TextTower(features, width, float(scale), config.vision_config.hidden_size, digest(model))


def _pooled(found: Any) -> Tensor:
    """What transformers gives for texts: a tensor in its versions 4, an output with one since."""
    return found if isinstance(found, Tensor) else found.pooler_output


def _open_clip(name: str) -> TextTower:
    from phrasebox.regions.backbones.open_clip_backbone import block_width, load_whole, open_clip, where

    model = load_whole(name)
    try:
        tokenizer = open_clip().get_tokenizer(where(name)[0])
    except Exception as error:
        raise not_loaded(name, error) from error
    patch_width = block_width(model.visual)
    del model.visual

    def features(texts: Sequence[str]) -> Tensor:
        return model.encode_text(tokenizer(list(texts)))

    with torch.inference_mode():
        width = features(["a"]).shape[1]
    return TextTower(features, width, float(model.logit_scale.detach().exp()), patch_width, digest(model))

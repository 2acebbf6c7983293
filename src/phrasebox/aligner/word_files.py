"""The words of a saved aligner: its encoder, and the parts of words whose vectors it has learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from phrasebox.aligner.known_words import read_vocabulary
from phrasebox.aligner.settings import ModelSettings
from phrasebox.errors import ModelError
from phrasebox.io.model_folder import CONFIG, PARTS
from phrasebox.text.encoders import load_encoder
from phrasebox.text.encoders.base import WordEncoder
from phrasebox.text.encoders.scratch import FIRST
from phrasebox.text.function_words import marking
from phrasebox.text.segmenters import splitter

WORDS = "words"
"""Folder, inside a model's folder, in which its word encoder is looked for if it is not at its own place."""


def read_parts(folder: Path, settings: ModelSettings) -> tuple[str, ...]:
    """The parts of words in a model's folder; none for a pretrained encoder.

    Raises
    ------
    ModelError
        If there are more or fewer than vectors of them, or the file cannot be read.
    """
    if not settings.vocabulary:
        return ()
    found, wanted = read_vocabulary(folder, PARTS) or (), settings.vocabulary - FIRST
    if len(found) != wanted:
        raise ModelError(f"{folder / PARTS} has {len(found)} parts of words; {CONFIG} asks for {wanted}")
    return found


def encoder_of(
    settings: ModelSettings,
    parts: Sequence[str],
    function_words: Iterable[str],
    folder: Path | None,
    about: Mapping[str, Any],
    device: str,
) -> WordEncoder:
    """The word encoder of an aligner.

    Parameters
    ----------
    parts, function_words
        As of `phrasebox.aligner.Aligner`.
    folder : Path or None
        The aligner's files, if it was loaded.
    about : mapping
        As of `phrasebox.aligner.Aligner`; ``words`` has the encoder's fingerprint.

    Raises
    ------
    SettingsError
        If the package of its segmenter is missing.
    ModelError
        If it is not on this machine, or is not the one that the aligner was trained with.
    """
    beside = None if folder is None else folder / WORDS
    split = marking(splitter(settings.segmenter), function_words)
    encoder = load_encoder(settings.words, device, split, parts, beside)
    trained = about.get("words", {}).get("fingerprint", encoder.fingerprint)
    if trained != encoder.fingerprint or not (settings.vocabulary or encoder.width == settings.word_width):
        raise ModelError(
            f"the word encoder {settings.words} on this machine is not the one that the model was trained with; "
            f"put that one into {beside or 'the folder words of the model'}, or use another --model"
        )
    return encoder

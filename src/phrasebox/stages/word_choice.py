"""The word encoder of a training: the one asked for, or the one that suits the captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from phrasebox.aligner import Aligner, ModelSettings
from phrasebox.aligner.stored import NOTHING
from phrasebox.text.encoders import AUTO, DEFAULT, load_encoder, prefix
from phrasebox.text.encoders.base import WordEncoder
from phrasebox.text.encoders.scratch import FIRST, NAME, Scratch, learn_parts
from phrasebox.text.function_words import learn_function_words
from phrasebox.text.languages import is_english
from phrasebox.text.segmenters import splitter
from phrasebox.text.word_vectors import unknown_share
from phrasebox.workspace.workspace import Workspace

UNKNOWN = 0.1
"""Largest share of pieces of captions that the default encoder may not know."""

_LOOKED_AT = 2000  # captions
_WIDTH = 384  # of trained vectors


def choose_words(
    ws: Workspace,
    model: ModelSettings,
    start: str | Path | None = None,
    device: str = "cpu",
    told: Callable[[str], object] = lambda line: None,
) -> tuple[ModelSettings, WordEncoder]:
    """The settings with the encoder's name and width in them, and the encoder.

    Without a name it is MiniLM, or ``scratch`` where more than a share `UNKNOWN` of the pieces of the training captions
    says nothing to MiniLM. ``scratch`` takes the parts of words of a ``start`` model that has such, else it learns them
    from the training captions.

    Parameters
    ----------
    told : callable
        Is given a line if the captions are in a language that MiniLM does not know.

    Raises
    ------
    SettingsError, ModelError
        As `phrasebox.text.encoders.load_encoder`.
    """
    strange = unknown_share(list(islice(_captions(ws), _LOOKED_AT))) if prefix(model.words) in (AUTO, DEFAULT) else 0.0
    says = f"{100 * strange:.0f} % of the pieces of the captions are unknown to {DEFAULT}"
    name = model.words
    if name == AUTO:
        name = NAME if strange > UNKNOWN else DEFAULT
        if name == NAME:
            told(f"words: {NAME}, learned from the captions, as {says}; an encoder of their language is another choice")
    elif strange > UNKNOWN:
        told(f"{says}; use --words {NAME}, or an encoder of their language")
    if name != NAME:
        encoder = load_encoder(name, device, splitter(model.segmenter))
        return replace(model, words=name, word_width=encoder.width, vocabulary=0), encoder
    begun = Aligner.load(start, device) if start not in (None, NOTHING) else None
    split = splitter(model.segmenter)
    parts = (begun.parts if begun else ()) or learn_parts(_captions(ws), split)
    return replace(model, words=name, word_width=_WIDTH, vocabulary=len(parts) + FIRST), Scratch(parts, split)


def foreign_function_words(ws: Workspace, segmenter: str) -> tuple[str, ...]:
    """The function words of the training captions, learned from them; none of English ones, which have a list."""
    if is_english(islice(_captions(ws), _LOOKED_AT)):
        return ()
    images = (row.captions for batch in ws.images("train") for row in batch)
    return learn_function_words(images, splitter(segmenter))


def _captions(ws: Workspace) -> Iterator[str]:
    return (text for batch in ws.images("train") for row in batch for text in row.captions)

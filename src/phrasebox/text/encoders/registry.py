"""Which word encoders there are, by the name or prefix that ``--words`` takes; each is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from phrasebox.errors import SettingsError
from phrasebox.text.segmenters import NONE, splitter

if TYPE_CHECKING:
    from phrasebox.text.encoders.base import Split, WordEncoder

DEFAULT = "minilm"
AUTO = "auto"
"""Name of the choice by the captions: `DEFAULT`, or ``scratch`` where `DEFAULT` does not know their language."""


class Asked(NamedTuple):
    """What an encoder is made from.

    Attributes
    ----------
    rest : str
        What follows the prefix: a hub id, a folder or a file.
    device : str
        Where a network runs.
    split : callable
        Splits captions into words.
    parts : sequence of str
        The parts of ``scratch``.
    """

    rest: str
    device: str
    split: Split
    parts: Sequence[str]


def _minilm(asked: Asked) -> WordEncoder:
    from phrasebox.text.word_vectors import WordVectors

    if asked.rest not in ("", "static"):
        raise SettingsError(f"words must be minilm or minilm:static, got 'minilm:{asked.rest}'")
    return WordVectors("static" if asked.rest else "contextual", asked.device, asked.split)


def _scratch(asked: Asked) -> WordEncoder:
    from phrasebox.text.encoders.scratch import Scratch

    return Scratch(asked.parts, asked.split)


def _multilingual(asked: Asked) -> WordEncoder:
    from phrasebox.text.encoders.multilingual import multilingual

    return multilingual(asked.split)


def _hf(asked: Asked) -> WordEncoder:
    from phrasebox.text.encoders.transformer import from_transformers

    return from_transformers(asked.rest, asked.split, asked.device)


def _st(asked: Asked) -> WordEncoder:
    from phrasebox.text.encoders.transformer import from_sentence_transformers

    return from_sentence_transformers(asked.rest, asked.split, asked.device)


def _open_clip(asked: Asked) -> WordEncoder:
    from phrasebox.text.encoders.image_text import from_open_clip

    return from_open_clip(asked.rest, asked.split, asked.device)


def _vectors(asked: Asked) -> WordEncoder:
    from phrasebox.text.encoders.vector_file import VectorFile

    return VectorFile(asked.rest, asked.split)


ENCODERS: dict[str, Callable[[Asked], WordEncoder]] = {
    "minilm": _minilm,
    "multilingual": _multilingual,
    "scratch": _scratch,
    "st": _st,
    "hf": _hf,
    "open_clip": _open_clip,
    "vectors": _vectors,
}
"""Prefix -> what makes its encoder."""
_ALONE = ("minilm", "multilingual", "scratch")  # need nothing behind the prefix


def prefix(name: str) -> str:
    """The part of an encoder's name before the first colon.

    >>> prefix("hf:intfloat/multilingual-e5-small"), prefix("scratch")
    ('hf', 'scratch')
    """
    return name.partition(":")[0]


def valid_name(name: str) -> str:
    """The name, if there is such an encoder.

    Raises
    ------
    SettingsError
        If there is none.
    """
    kind, colon, rest = name.partition(":")
    if name != AUTO and (kind not in ENCODERS or (not rest and (colon or kind not in _ALONE))):
        known = ", ".join((*_ALONE, *(f"{one}:NAME" for one in ENCODERS if one not in _ALONE)))
        raise SettingsError(f"words must be {AUTO}, {known}, got {name!r}")
    return name


def load_encoder(
    name: str,
    device: str = "cpu",
    split: Split | None = None,
    parts: Sequence[str] = (),
    beside: Path | None = None,
) -> WordEncoder:
    """The word encoder of a name; `AUTO` is `DEFAULT`.

    Parameters
    ----------
    split : callable, optional
        Splits captions into words; `phrasebox.text.words.words` without it.
    parts : sequence of str
        The parts of words that ``scratch`` knows.
    beside : Path, optional
        Folder in which a file or folder that is not at its place is looked for by its last name.

    Raises
    ------
    SettingsError
        If there is no such encoder.
    ModelError
        If it is missing or damaged; the message says how to get it.
    """
    kind, _, rest = valid_name(DEFAULT if name == AUTO else name).partition(":")
    return ENCODERS[kind](Asked(_found(rest, beside), device, split or splitter(NONE), parts))


def _found(rest: str, beside: Path | None) -> str:
    """The file or folder of that name in ``beside``, if there is one and none at its place."""
    if beside is None or not rest or Path(rest).expanduser().exists():
        return rest
    copy = beside / Path(rest).name
    return str(copy) if copy.exists() else rest

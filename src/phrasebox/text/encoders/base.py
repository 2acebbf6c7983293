"""What every word encoder gives: numbers for each word of a caption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from phrasebox.text.word_vectors import Sentence
from phrasebox.types import Word

Split = Callable[[str], tuple[Word, ...]]
"""Splits a caption into words, such as `phrasebox.text.words.words`."""


class WordEncoder(Protocol):
    """A frozen source of numbers for words.

    Attributes
    ----------
    name : str
        As ``--words`` takes it.
    width : int
        How many numbers a word has: the length of its vector, or the number of its parts.
    numbers : type
        ``np.float16`` for vectors; ``np.int32`` for numbers of parts, whose vectors are trained with the aligner.
    fingerprint : str
        Equal for encoders that give the same numbers.
    licence : str
        Licence of the weights, as far as they say.
    """

    name: str
    width: int
    fingerprint: str
    licence: str

    @property
    def numbers(self) -> type[np.generic]:
        """As above."""
        ...

    def encode(self, captions: Sequence[str]) -> list[Sentence]:
        """The words of every caption with their numbers (T, width), in the order given."""
        ...


def each_word(captions: Sequence[str], split: Split, rows: Callable[[str], np.ndarray], width: int,
              numbers: type[np.generic]) -> list[Sentence]:  # fmt: skip
    """Captions whose words have the same numbers in every sentence: ``rows`` gives those of a word (width,)."""
    found = []
    for text in captions:
        own = split(text)
        filled = np.zeros((len(own), width), numbers)
        for place, word in enumerate(own):
            filled[place] = rows(word.text)
        found.append(Sentence(text, own, filled))
    return found

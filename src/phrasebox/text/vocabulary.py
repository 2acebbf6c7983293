"""Words to numbers and back: the captioner's vocabulary with its START and END."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import regex

from phrasebox.text.words import Vocabulary, words

END, UNKNOWN, START = 0, 1, 2
FIRST = 3
"""Index of the first real word; END, UNKNOWN and START stand before it."""

_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}][\p{M}ー]*")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of the training captions, most frequent first, behind END, UNKNOWN and START.

    Examples
    --------
    >>> lexicon = Lexicon.build(["A dog runs", "a dog sits"], min_count=2)
    >>> lexicon.encode("The dog").tolist(), lexicon.sentence([3, 4])
    ([1, 4], 'a dog')
    """

    terms: tuple[str, ...]
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {term: i for i, term in enumerate(self.terms, start=FIRST)})

    @classmethod
    def build(cls, captions: Iterable[str], min_count: int) -> Lexicon:
        """The lower-cased words that the captions of the train split use ``min_count`` times."""
        return cls(Vocabulary.build(captions, min_count).terms)

    def __len__(self) -> int:
        return len(self.terms) + FIRST

    def encode(self, text: str) -> np.ndarray:
        """Index of every word (T,) int64, without START and END."""
        return np.array([self._index.get(word.text.lower(), UNKNOWN) for word in words(text)], np.int64)

    def sentence(self, indices: Sequence[int]) -> str:
        """The words behind indices as text; scripts that write without spaces get none."""
        text = ""
        for i in indices:
            term = self.terms[i - FIRST]
            unspaced = _UNSPACED.fullmatch(term) and (not text or _UNSPACED.match(text[-1]))
            text += term if unspaced or not text else f" {term}"
        return text

    def repeatable(self) -> np.ndarray:
        """Which words (V,) may stand twice in a row: those of scripts where a character is half a word."""
        doubled = [bool(_UNSPACED.fullmatch(term)) for term in self.terms]
        return np.array([False] * FIRST + doubled)

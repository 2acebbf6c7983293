"""The words of the training captions as numbers, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from phrasebox.text.words import IDEOGRAPH, words
from phrasebox.types import Word

END, UNKNOWN, START = 0, 1, 2
FIRST = 3
"""Index of the first word; END, UNKNOWN and START come before it."""
END_RANK = 11
"""Rank of the end of a caption among words: captions have some ten words, and a caption ends once."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of the training captions, most frequent first, after END, UNKNOWN and START.

    Examples
    --------
    >>> vocabulary = Vocabulary.build(["A dog runs", "a dog sits"], min_count=2)
    >>> vocabulary.encode("The dog").tolist(), vocabulary.sentence([3, 4])
    ([1, 4], 'a dog')
    """

    terms: tuple[str, ...]
    _index: dict[str, int] = field(init=False, repr=False, compare=False)
    _repeatable: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {term: i for i, term in enumerate(self.terms, start=FIRST)})
        doubled = [bool(IDEOGRAPH.fullmatch(term)) for term in self.terms]
        object.__setattr__(self, "_repeatable", np.array([False] * FIRST + doubled))

    @classmethod
    def build(
        cls, captions: Iterable[str], min_count: int = 5, split: Callable[[str], tuple[Word, ...]] = words
    ) -> Vocabulary:
        """Count the lower-cased words of ``captions`` (the train split only) and keep those seen ``min_count`` times.

        Ties in frequency are in alphabetical order, so that the same captions give the same indices.
        """
        counts = Counter(word.text.lower() for text in captions for word in split(text))
        kept = [(term, n) for term, n in counts.items() if n >= min_count]
        return cls(tuple(term for term, _ in sorted(kept, key=lambda item: (-item[1], item[0]))))

    def __len__(self) -> int:
        return len(self.terms) + FIRST

    def encode(self, text: str) -> np.ndarray:
        """Index of every word (T,) int64, without START and END."""
        return np.array([self._index.get(word.text.lower(), UNKNOWN) for word in words(text)], np.int64)

    def sentence(self, indices: Sequence[int]) -> str:
        """The text of word indices; scripts written without spaces get none."""
        text = ""
        for i in indices:
            term = self.terms[i - FIRST]
            unspaced = IDEOGRAPH.fullmatch(term) and (not text or IDEOGRAPH.match(text[-1]))
            text += term if unspaced or not text else f" {term}"
        return text

    def repeatable(self) -> np.ndarray:
        """Mask (V,) of the words that may follow themselves: those of scripts where a character is half a word."""
        return self._repeatable.copy()

    def commonness(self) -> np.ndarray:
        """How common each word is (V,) float32: minus the log of its rank, as words are in order of their counts.

        START, END and UNKNOWN count as the word of rank `END_RANK`.

        Examples
        --------
        >>> Vocabulary(("a", "dog", "moped")).commonness()[FIRST:].round(1)
        array([-0. , -0.7, -1.1], dtype=float32)
        """
        ranks = np.concatenate([np.full(FIRST, END_RANK), np.arange(1, len(self.terms) + 1)])
        return -np.log(ranks).astype(np.float32)

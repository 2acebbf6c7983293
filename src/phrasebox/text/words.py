"""Words of a caption with their character offsets, in any script, and the vocabulary of a training split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import regex

from phrasebox.types import Word

# A word is, in this order of preference: one ideograph or kana with its marks (scripts written without spaces carry
# about a word a character); letters, digits and the marks that belong to them (Devanagari vowel signs, Arabic
# harakat), joined by an inner apostrophe, hyphen or decimal point; or one pictograph with its modifiers.
_WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}][\p{M}ー]*"
    r"|(?:[\p{L}\p{N}](?<![\p{Han}\p{Hiragana}\p{Katakana}])[\p{M}\u200c\u200d]*)+"
    r"(?:['’\-.](?:[\p{L}\p{N}](?<![\p{Han}\p{Hiragana}\p{Katakana}])[\p{M}\u200c\u200d]*)+)*"
    r"|(?=\p{Extended_Pictographic}|\p{Regional_Indicator})\X"
)


def words(text: str) -> tuple[Word, ...]:
    """Split a caption into words; punctuation and white space belong to none.

    Parameters
    ----------
    text : str
        The caption as given; offsets refer to it unchanged.

    Returns
    -------
    tuple of Word
        In reading order, not overlapping; empty for a text without a word.

    Examples
    --------
    >>> [(w.text, w.start, w.end) for w in words("A dog's t-shirt, 2.5 m.")]
    [('A', 0, 1), ("dog's", 2, 7), ('t-shirt', 8, 15), ('2.5', 17, 20), ('m', 21, 22)]
    >>> [w.text for w in words("कुत्ता दौड़ 狗跑 🐕!")]
    ['कुत्ता', 'दौड़', '狗', '跑', '🐕']
    """
    return tuple(Word(m.group(), m.start(), m.end()) for m in _WORD.finditer(text))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of the training captions, most frequent first; index 0 is the unknown word.

    Examples
    --------
    >>> v = Vocabulary.build(["A dog runs", "a dog sits", "a cat"], min_count=2)
    >>> v.terms, v.indices(["A", "cat", "dog"])
    (('a', 'dog'), [1, 0, 2])
    """

    terms: tuple[str, ...]
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {term: i for i, term in enumerate(self.terms, start=1)})

    @classmethod
    def build(cls, captions: Iterable[str], min_count: int = 5) -> Vocabulary:
        """Count lower-cased words of ``captions`` (the train split only) and keep those seen ``min_count`` times.

        Ties in frequency are ordered by the alphabet, so that the same captions give the same indices.
        """
        counts = Counter(word.text.lower() for text in captions for word in words(text))
        kept = [(term, n) for term, n in counts.items() if n >= min_count]
        return cls(tuple(term for term, _ in sorted(kept, key=lambda item: (-item[1], item[0]))))

    def __len__(self) -> int:
        return len(self.terms) + 1

    def indices(self, terms: Sequence[str]) -> list[int]:
        """Index of every term, 0 where it is unknown."""
        return [self._index.get(term.lower(), 0) for term in terms]

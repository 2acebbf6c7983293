"""Split a caption into words with their character offsets, in any script."""

from __future__ import annotations

import regex

from phrasebox.io.arguments import checked
from phrasebox.types import Word

IDEOGRAPH = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}][\p{M}ー]*")
"""One ideograph or kana with its marks."""

# A word is, in this order of preference: one ideograph or kana with its marks (scripts written without spaces carry
# about a word a character); letters, digits and the marks that belong to them (Devanagari vowel signs, Arabic
# harakat), joined by an inner apostrophe, hyphen or decimal point; or one pictograph with its modifiers.
_WORD = regex.compile(
    IDEOGRAPH.pattern + r"|(?:[\p{L}\p{N}](?<![\p{Han}\p{Hiragana}\p{Katakana}])[\p{M}\u200c\u200d]*)+"
    r"(?:['’\-.](?:[\p{L}\p{N}](?<![\p{Han}\p{Hiragana}\p{Katakana}])[\p{M}\u200c\u200d]*)+)*"
    r"|(?=\p{Extended_Pictographic}|\p{Regional_Indicator})\X"
)


@checked(text=str)
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

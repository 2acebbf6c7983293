"""Words of any language as numbers of their parts, whose vectors an aligner learns from its captions alone.

The parts of a word are the word itself and runs of its characters, so that a rare or inflected form shares what its
relatives have learned (Bojanowski et al., *Enriching Word Vectors with Subword Information*, TACL 2017). A part that
few training captions have is not kept.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from phrasebox.io.arguments import checked, texts
from phrasebox.text.encoders.base import Split, each_word
from phrasebox.text.word_vectors import Sentence
from phrasebox.text.words import IDEOGRAPH, words

NAME = "scratch"
PADDING, UNKNOWN, FIRST = 0, 1, 2
"""Numbers of no part and of a word that is not kept, and that of the first part."""
PARTS = 16
"""Largest number of parts of a word; the longest runs of a longer word are left out."""

_LEAST = 5  # training words that have a part which is kept
_SHORTEST, _LONGEST = 3, 5  # characters of a run, with the marks of a word's ends


class Scratch:
    """Numbers of the parts of words.

    Parameters
    ----------
    parts : sequence of str
        The parts that are kept, from `learn_parts`; the first has the number `FIRST`.
    split : callable
        Splits captions into words.
    """

    name, licence = NAME, "of the captions"
    width = PARTS
    numbers: type[np.generic] = np.int32

    def __init__(self, parts: Sequence[str], split: Split = words) -> None:
        self.parts = tuple(parts)
        self._split = split
        self._numbers = {part: i for i, part in enumerate(self.parts, start=FIRST)}
        self._known: dict[str, np.ndarray] = {}
        self.fingerprint = hashlib.sha256("\n".join(self.parts).encode()).hexdigest()[:16]

    @checked(captions=texts)
    def encode(self, captions: Sequence[str]) -> list[Sentence]:
        """Every word with the numbers of its parts (T, `PARTS`) int32, padded with `PADDING`; the word's own first."""
        return each_word(captions, self._split, self._row, self.width, self.numbers)

    def _row(self, word: str) -> np.ndarray:
        if (row := self._known.get(word)) is None:
            own, *runs = parts_of(word)
            found = [self._numbers.get(own, UNKNOWN), *(self._numbers[run] for run in runs if run in self._numbers)]
            row = np.zeros(PARTS, np.int32)
            row[: len(found)] = found[:PARTS]
            self._known[word] = row
        return row


def parts_of(word: str) -> Iterator[str]:
    """The parts of a word: itself between the marks ``<`` and ``>``, then runs of its characters, short ones first.

    Runs have 3 to 5 characters with the marks; of ideographs and kana, which say more each, 1 or 2 without.

    Examples
    --------
    >>> list(parts_of("dog"))
    ['<dog>', '<do', 'dog', 'og>', '<dog', 'dog>']
    >>> list(parts_of("小狗"))
    ['<小狗>', '小', '狗', '小狗']
    """
    lower = word.lower()
    whole = f"<{lower}>"
    yield whole
    shortest, longest, text = _SHORTEST, _LONGEST, whole
    if IDEOGRAPH.match(lower):
        shortest, longest, text = 1, 2, lower
    for length in range(shortest, longest + 1):
        for start in range(len(text) - length + 1):
            if (run := text[start : start + length]) != whole:
                yield run


def learn_parts(captions: Iterable[str], split: Split = words) -> tuple[str, ...]:
    """The parts that at least 5 words of the training captions have, from the most frequent one."""
    counts = Counter(word.text.lower() for text in captions for word in split(text))
    found: Counter[str] = Counter()
    for word, count in counts.items():
        for part in set(parts_of(word)):
            found[part] += count
    kept = ((part, count) for part, count in found.items() if count >= _LEAST)
    return tuple(part for part, _ in sorted(kept, key=lambda item: (-item[1], item[0])))

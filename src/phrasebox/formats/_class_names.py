"""Class names for detection formats: the class of a phrase is its head word."""

from __future__ import annotations

from collections.abc import Iterator

from phrasebox.text.english import head_word


class ClassNames:
    """Head words in order of first use, each with its index.

    Examples
    --------
    >>> names = ClassNames()
    >>> [names.index(phrase) for phrase in ("a brown dog", "two girls in the grass", "Dog")], list(names)
    ([0, 1, 0], ['dog', 'girls'])
    """

    def __init__(self) -> None:
        self._indices: dict[str, int] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._indices)

    def index(self, phrase: str) -> int:
        """Index of the phrase's head word; a new word gets the next index."""
        return self._indices.setdefault(head_word(phrase), len(self._indices))

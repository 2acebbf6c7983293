"""The things that captions name, and whether two captions name the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from phrasebox.evaluate.category_names import SYNONYMS
from phrasebox.text.class_nouns import class_noun
from phrasebox.text.noun_phrases import noun_phrases
from phrasebox.text.words import words


@cache
def things(caption: str) -> tuple[str, ...]:
    """The head noun of each noun phrase of an English caption, in the singular and in their order.

    Examples
    --------
    >>> things("Two brown dogs are running on the grass")
    ('dog', 'grass')
    """
    found = noun_phrases(caption, words(caption)) or ()
    return tuple(class_noun(caption[start:end]) for start, end in found)


def named(thing: str, captions: Iterable[str]) -> bool:
    """Whether any of the captions names a thing, by this noun or a usual one for the same thing.

    Examples
    --------
    >>> named("man", ["a woman rides a bike"]), named("motorcycle", ["a bike"]), named("dog", ["a red dog house"])
    (True, True, False)
    """
    own = _kinds(thing)
    return any(own & _kinds(other) for caption in captions for other in things(caption))


def names_right(caption: str, references: Sequence[str]) -> bool:
    """Whether the first thing that a caption names, and at least half of all, are named in its references."""
    found = [named(thing, references) for thing in things(caption)]
    return bool(found) and found[0] and 2 * sum(found) >= len(found)


def names_any(caption: str, references: Sequence[str]) -> bool:
    """Whether a caption names any thing of its references."""
    return any(named(thing, references) for thing in things(caption))


@cache
def _kinds(noun: str) -> frozenset[str]:
    """A noun and the categories that it may stand for."""
    return frozenset({noun} | {name for name, usual in SYNONYMS.items() if noun == name or noun in usual})

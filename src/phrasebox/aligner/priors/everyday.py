"""The nouns by which people name the classes of a classifier: *bird* for *goldfinch*, *motorcycle* for *moped*.

A class of ImageNet is a synset of WordNet, and timm's package has the lemmas and the definitions of 21,000 of them. The
genus of a definition is a more general noun, which has a definition in turn: *goldfinch*, finch, songbird, bird.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from phrasebox.regions.backbones.classifier import Names, synset_definitions, synset_names
from phrasebox.text.class_nouns import class_noun, is_noun
from phrasebox.text.english import COLOURS
from phrasebox.text.genus import genus

_STEPS = 3  # from a class to a more general noun
_SAYS = {"breed": "dog"}  # where a definition says no more, as *an English breed having a silky coat*
_RARER = 2  # a special noun whose rank is so many times that of a more general one is not the usual one
# Nouns that say too little of what a picture shows, among them heads of definitions such as *a piece of furniture*.
_VAGUE = frozenset(
    """animal any apparatus appliance area arrangement article artifact body breed class clothing color colour
    container covering craft creature device equipment establishment fabric facility fastener form furnishings
    furniture garment gear genus group head implement instrument instrumentality large largest mammal material
    mechanism member object organism part person piece place plant player process product protective small something
    structure substance support surface system thing time tool top unit variety vehicle vertebrate vessel
    weapon""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True, eq=False)
class _Dictionary:
    """Lemmas and definitions of synsets, which are numbered so that those of a kind are near one another."""

    lemmas: dict[int, Names]
    definitions: dict[int, str]
    synsets: dict[str, list[int]]

    def nearest(self, noun: str, synset: int) -> int | None:
        """The sense of a noun that is nearest to a synset of which it is the genus; those before it first."""
        senses = [one for one in self.synsets.get(noun, ()) if one != synset]
        return min(senses, key=lambda one: (one > synset, abs(one - synset)), default=None)

    def above(self, synset: int) -> Iterator[str]:
        """The genus of a synset, that of its genus, and so on; or the head of its name where that says nothing."""
        for _ in range(_STEPS):
            if (told := self.definitions.get(synset)) is None:
                return
            noun = genus(told)
            options = (_SAYS.get(noun, noun), class_noun(self.lemmas[synset][0]))
            noun = next((one for one in options if one in self.synsets and _tells(one)), "")
            after = self.nearest(noun, synset)
            if after is None:
                return
            yield noun
            synset = after


def _tells(noun: str) -> bool:
    return is_noun(noun) and noun not in _VAGUE and noun not in COLOURS


@cache
def _dictionary() -> _Dictionary:
    """Of timm's package; empty if it has none."""
    named: dict[int, Names] = {}
    definitions: dict[int, str] = {}
    with suppress(OSError, ValueError):
        named = {int(synset[1:]): names for synset, names in synset_names().items()}
        definitions = {int(synset[1:]): told for synset, told in synset_definitions().items()}
    synsets: dict[str, list[int]] = defaultdict(list)
    for n, of in named.items():
        for name in of:
            synsets[name.lower()].append(n)
    return _Dictionary(named, definitions, dict(synsets))


@cache
def nouns(classes: tuple[Names, ...]) -> tuple[Names, ...]:
    """The nouns of each class: those of its names, then more general ones where it is a synset of WordNet.

    Parameters
    ----------
    classes : tuple of tuple of str
        Names of each class. Of classes with the same names, the first is the first such synset, and so on.

    Examples
    --------
    >>> nouns((("goldfinch", "Carduelis carduelis"), ("moped",), ("my own thing",)))
    (('goldfinch', 'cardueli', 'finch', 'songbird', 'bird'), ('moped', 'motorbike', 'motorcycle'), ('thing',))
    """
    known = _dictionary()
    of_lemmas: dict[Names, list[int]] = defaultdict(list)
    for synset in sorted(known.lemmas):
        of_lemmas[known.lemmas[synset]].append(synset)
    taken: dict[Names, int] = defaultdict(int)
    found = []
    for names in classes:
        own = [class_noun(name) for name in names]
        own = [noun for noun in own if _tells(noun)] or own[:1]
        if senses := of_lemmas.get(names):
            own += known.above(senses[min(taken[names], len(senses) - 1)])
            taken[names] += 1
        found.append(tuple(dict.fromkeys(own)))
    return tuple(found)


def everyday(classes: tuple[Names, ...], known: Sequence[str]) -> tuple[str, ...]:
    """A noun for each class: the most special of its `nouns` that people usually write, else that of its first name.

    A class without a name has a blank one.

    Parameters
    ----------
    known : sequence of str
        Words of captions, the most frequent first.

    Examples
    --------
    >>> everyday((("goldfinch", "Carduelis carduelis"), ("zebra",)), ("dog", "bird"))
    ('bird', 'zebra')
    """
    rank = {word: i for i, word in enumerate(known, start=1)}
    found = []
    for of in nouns(classes):
        chosen = of[0] if of else ""
        for noun in of:
            if noun in rank and _RARER * rank[noun] < rank.get(chosen, math.inf):
                chosen = noun
        found.append(chosen)
    return tuple(found)

"""What the backbone's classifier sees in an image, and whether the captioner has a word for it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import torch

from phrasebox.aligner.priors import ClassNames
from phrasebox.text.english import is_content
from phrasebox.text.words import words
from phrasebox.types import Regions

LEAST = 0.3  # probability of a class from which on it counts as seen
MOST = 5  # classes of an image
LIKELY, FEW = 0.1, 3  # the same for what is listed where the captioner is not sure


@dataclass(frozen=True, slots=True)
class Seen:
    """A class that the backbone's classifier sees somewhere in an image.

    Attributes
    ----------
    name : str
        First name of the class.
    share : float
        Its largest probability in any region, in [0, 1].
    known : bool
        Whether the captioner's vocabulary has a word of one of its names, so that it can be said.
    """

    name: str
    share: float
    known: bool


def seen(
    regions: Regions, names: ClassNames, vocabulary: Set[str], view: int = 0, least: float = LEAST, most: int = MOST
) -> tuple[Seen, ...]:
    """The classes that the classifier sees in an image or a region of it, from the likeliest.

    Parameters
    ----------
    regions : Regions
        With vectors that ``names`` reads.
    vocabulary : set of str
        Lower-cased words.
    view : int
        The region; 0 for the largest share of each class in any region.
    least, most : float, int
        Smallest share of a class, and largest number of classes.
    """
    vectors = torch.tensor(regions.vectors if view == 0 else regions.vectors[view : view + 1])  # type: ignore[index]
    shares = names.probabilities(vectors).amax(0)  # (C,)
    best = shares.sort(descending=True, stable=True).indices[:most].tolist()
    rows = [Seen(names.names[c][0], float(shares[c]), bool(vocabulary & set(head_words(names.names[c])))) for c in best]
    return tuple(row for row in rows if row.share >= least)


def head_words(names: Sequence[str]) -> list[str]:
    """The last content word of each name of a class.

    >>> head_words(("coffee mug", "mug of coffee", "espresso"))
    ['mug', 'coffee', 'espresso']
    """
    heads = ([w.text.lower() for w in words(name) if is_content(w.text)][-1:] for name in names)
    return list(dict.fromkeys(head for of_name in heads for head in of_name))


def in_words(classes: Sequence[Seen]) -> str:
    """What is likely there, where a sentence would be a guess.

    >>> in_words([Seen("cup", 0.62, True), Seen("saucer", 0.31, False)])
    'not sure: cup 62 %, saucer 31 %'
    >>> in_words([])
    'not sure what this is'
    """
    shares = ", ".join(f"{one.name} {round(100 * one.share)} %" for one in classes)
    return f"not sure: {shares}" if shares else "not sure what this is"

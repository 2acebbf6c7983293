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


def seen(regions: Sequence[Regions], names: ClassNames, vocabulary: Set[str]) -> list[tuple[Seen, ...]]:
    """The classes that the classifier sees in each image, from the likeliest; at most `MOST`, all at least `LEAST`.

    Parameters
    ----------
    regions : sequence of Regions
        Of each image, with vectors that ``names`` reads.
    vocabulary : set of str
        Lower-cased words.
    """
    found = []
    for r in regions:
        shares = names.probabilities(torch.tensor(r.vectors)).amax(0)  # (C,)
        best = shares.sort(descending=True, stable=True).indices[:MOST].tolist()
        rows = [Seen(names.names[c][0], float(shares[c]), _said(names.names[c], vocabulary)) for c in best]
        found.append(tuple(row for row in rows if row.share >= LEAST))
    return found


def _said(names: Sequence[str], vocabulary: Set[str]) -> bool:
    """Whether the vocabulary has the last content word of a name: *cup* of a coffee cup."""
    heads = ([w.text.lower() for w in words(name) if is_content(w.text)][-1:] for name in names)
    return any(head in vocabulary for of_name in heads for head in of_name)

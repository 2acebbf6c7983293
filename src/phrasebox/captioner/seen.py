"""What the backbones' classifiers see in an image, by its everyday noun, and whether the captioner has the word."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from phrasebox.aligner.priors import ClassNames
from phrasebox.aligner.priors.everyday import everyday, nouns
from phrasebox.boxes import area
from phrasebox.text.class_nouns import class_noun, singular
from phrasebox.types import Regions

LEAST = 0.3  # share from which on something counts as seen
MOST = 5  # things of an image
LIKELY, FEW = 0.1, 3  # the same for what is listed where the captioner is not sure

MEAN, LARGEST, BIAS = 0.73, 0.25, -0.11
"""Of the share of an image, a logistic function of `Kinds.evidence`.

``benchmarks/captions.py`` fits it to whether captions of training images name the thing."""
_FLOOR = 1e-3  # of probabilities, so that they have logs


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that the backbones' classifiers see in an image or a region.

    Attributes
    ----------
    name : str
        Its everyday noun (`phrasebox.aligner.priors.everyday`), with the words before it if it is of one class alone.
    share : float
        How likely it is there, in [0, 1]: that a caption of the image names it, or the probability of its classes in a
        region.
    known : bool
        Whether the captioner's vocabulary has the noun.
    """

    name: str
    share: float
    known: bool


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """The classes of classifiers by their everyday nouns.

    Attributes
    ----------
    names : ClassNames
        C classes.
    nouns, labels : tuple of str
        K nouns, and how they are shown: *toilet seat* for *seat*, if no other class has that noun.
    known : tuple of bool
        Whether the captioner's vocabulary has each noun.
    of_class : (C,) int64
        Index of each class's noun.
    of_noun : mapping of str to tuple of int
        Indices of the nouns whose classes may be called so.
    """

    names: ClassNames
    nouns: tuple[str, ...]
    labels: tuple[str, ...]
    known: tuple[bool, ...]
    of_class: torch.Tensor
    of_noun: Mapping[str, tuple[int, ...]]

    def shares(self, regions: Regions) -> np.ndarray:
        """Probability (R, K) of each noun's classes in each region, which has the vectors that ``names`` reads."""
        classes = self.names.probabilities(torch.tensor(regions.vectors))
        return classes.new_zeros(len(classes), len(self.nouns)).index_add(1, self.of_class, classes).numpy()

    def likely(self, regions: Regions, shares: np.ndarray, view: int = 0) -> np.ndarray:
        """(K,) how likely each noun is there, in the image (view 0) or in a region of it; see `Seen`."""
        if view:
            return shares[view]
        return 1 / (1 + np.exp(-self.evidence(regions, shares) @ (MEAN, LARGEST) - BIAS))

    def evidence(self, regions: Regions, shares: np.ndarray) -> np.ndarray:
        """(K, 2) log of the mean probability over the regions, by their areas, and log-odds of the largest."""
        size, largest = area(regions.boxes), shares.max(0)
        mean = size @ shares / size.sum()
        odds = (largest + _FLOOR) / (1 - largest + _FLOOR)
        return np.log(np.stack([mean + _FLOOR, odds], -1))

    def named(self, words: Sequence[str]) -> np.ndarray:
        """(K,) bool, whether a word is one of the nouns, or another one that its classes have."""
        found = np.zeros(len(self.nouns), bool)
        found[[k for word in words for k in self.of_noun.get(singular(word.lower()), ())]] = True
        return found


@cache
def kinds(names: ClassNames, terms: tuple[str, ...]) -> Kinds:
    """The classes by the nouns that suit a captioner whose vocabulary is ``terms``, the most frequent first."""
    chosen = everyday(names.names, terms)
    distinct, vocabulary = tuple(dict.fromkeys(chosen)), frozenset(terms)
    place = {noun: i for i, noun in enumerate(distinct)}
    of_noun: dict[str, set[int]] = defaultdict(set)
    for noun, of in zip(chosen, nouns(names.names), strict=True):
        for called in of[: of.index(noun) + 1]:  # not what is still more general
            of_noun[called].add(place[noun])
    shown = dict(zip(distinct, distinct, strict=True))
    alone = {noun for noun, count in Counter(chosen).items() if count == 1}
    shown |= {
        noun: of[0] for noun, of in zip(chosen, names.names, strict=True) if {noun} <= alone & {class_noun(of[0])}
    }
    return Kinds(
        names,
        distinct,
        tuple(shown.values()),
        tuple(noun in vocabulary for noun in distinct),
        torch.tensor([place[noun] for noun in chosen]),
        {noun: tuple(sorted(of)) for noun, of in of_noun.items()},
    )


def seen(regions: Regions, kinds: Kinds, view: int = 0, least: float = LEAST, most: int = MOST) -> tuple[Seen, ...]:
    """What the classifiers see in an image or a region of it, from the likeliest.

    Parameters
    ----------
    regions : Regions
        With vectors that ``kinds`` reads.
    view : int
        The region; 0 for the image.
    least, most : float, int
        Smallest share, and largest number of nouns.
    """
    shares = kinds.likely(regions, kinds.shares(regions), view)
    order = np.argsort(-shares, kind="stable")[:most].tolist()
    return tuple(Seen(kinds.labels[k], float(shares[k]), kinds.known[k]) for k in order if shares[k] >= least)


def in_words(found: Sequence[Seen]) -> str:
    """What is likely there, where a sentence would be a guess.

    >>> in_words([Seen("cup", 0.62, True), Seen("saucer", 0.31, False)])
    'not sure: cup 62 %, saucer 31 %'
    >>> in_words([])
    'not sure what this is'
    """
    shares = ", ".join(f"{one.name} {round(100 * one.share)} %" for one in found)
    return f"not sure: {shares}" if shares else "not sure what this is"

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
"""Of the share of an image, a logistic function of `Sight.evidence`.

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
        Index of each class's noun; K of a class without a name.
    of_noun : mapping of str to tuple of int
        Indices of the nouns whose classes may be called so.
    """

    names: ClassNames
    nouns: tuple[str, ...]
    labels: tuple[str, ...]
    known: tuple[bool, ...]
    of_class: torch.Tensor
    of_noun: Mapping[str, tuple[int, ...]]

    def look(self, regions: Regions) -> Sight:
        """What is seen in an image whose regions have the vectors that ``names`` reads."""
        classes = self.names.probabilities(torch.tensor(regions.vectors))
        shares = classes.new_zeros(len(classes), len(self.nouns) + 1).index_add(1, self.of_class, classes)
        return Sight(self, shares[:, :-1].numpy(), area(regions.boxes))

    def named(self, words: Sequence[str]) -> np.ndarray:
        """(K,) bool, whether a word is one of the nouns, or another one that its classes have."""
        found = np.zeros(len(self.nouns), bool)
        found[[k for word in words for k in self.of_noun.get(singular(word.lower()), ())]] = True
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What the classifiers see in one image.

    Attributes
    ----------
    kinds : Kinds
        K nouns.
    shares : (R, K)
        Probability of each noun's classes in each region, the whole image first.
    areas : (R,)
        Of the regions.
    """

    kinds: Kinds
    shares: np.ndarray
    areas: np.ndarray

    def evidence(self) -> np.ndarray:
        """(K, 2) log of the mean probability over the regions, by their areas, and log-odds of the largest."""
        mean, largest = self.areas @ self.shares / self.areas.sum(), self.shares.max(0)
        odds = (largest + _FLOOR) / (1 - largest + _FLOOR)
        return np.log(np.stack([mean + _FLOOR, odds], -1))

    def seen(self, view: int = 0, least: float = LEAST, most: int = MOST) -> tuple[Seen, ...]:
        """What is in the image or a region of it, from the likeliest.

        Parameters
        ----------
        view : int
            The region; 0 for the image.
        least, most : float, int
            Smallest share, and largest number of nouns.
        """
        likely = self.shares[view] if view else 1 / (1 + np.exp(-self.evidence() @ (MEAN, LARGEST) - BIAS))
        order = np.argsort(-likely, kind="stable")[:most].tolist()
        of = self.kinds
        return tuple(Seen(of.labels[k], float(likely[k]), of.known[k]) for k in order if likely[k] >= least)

    def unsaid(self, words: Sequence[str], view: int = 0) -> float:
        """The largest probability of a noun that none of the words names: in the region, or in any for the image."""
        largest = self.shares[view] if view else self.shares.max(0)
        return float(largest[~self.kinds.named(words)].max(initial=0.0))


@cache
def kinds(names: ClassNames, terms: tuple[str, ...]) -> Kinds:
    """The classes by the nouns that suit a captioner whose vocabulary is ``terms``, the most frequent first."""
    chosen = everyday(names.names, terms)
    distinct, vocabulary = tuple(dict.fromkeys(filter(None, chosen))), frozenset(terms)
    place = {noun: i for i, noun in enumerate(distinct)}
    of_noun: dict[str, set[int]] = defaultdict(set)
    for noun, of in zip(chosen, nouns(names.names), strict=True):
        for called in of[: of.index(noun) + 1] if noun else ():  # not what is still more general
            of_noun[called].add(place[noun])
    shown = dict(zip(distinct, distinct, strict=True))
    classes = Counter(chosen)
    for noun, of in zip(chosen, names.names, strict=True):
        if noun and classes[noun] == 1 and class_noun(of[0]) == noun:
            shown[noun] = of[0]
    return Kinds(
        names,
        distinct,
        tuple(shown.values()),
        tuple(noun in vocabulary for noun in distinct),
        torch.tensor([place.get(noun, len(distinct)) for noun in chosen]),
        {noun: tuple(sorted(of)) for noun, of in of_noun.items()},
    )


def in_words(found: Sequence[Seen]) -> str:
    """What is likely there, where a sentence would be a guess.

    >>> in_words([Seen("cup", 0.62, True), Seen("saucer", 0.31, False)])
    'not sure: cup 62 %, saucer 31 %'
    >>> in_words([])
    'not sure what this is'
    """
    shares = ", ".join(f"{one.name} {round(100 * one.share)} %" for one in found)
    return f"not sure: {shares}" if shares else "not sure what this is"

"""The class names of the backbones' classifiers as a prior: a word that is near a class's name describes its regions.

prior(i, t) = sum over classes c of p_c(i) * g_c(t): how near the word is, in expectation, to the name of region i's
class. p_c(i) is the probability of class c for region i, from the mean of the backbones' logits, and g_c(t) =
max(0, cos(name of c, word t) - `LEAST`), of the best synonym. Names and words are compared by the sentence encoder that
makes the word vectors, each alone. Nothing of it is trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor

from phrasebox.aligner.priors.base import Remembered
from phrasebox.io.atomic import write_whole
from phrasebox.io.version import __version__
from phrasebox.regions.backbones.classifier import Classifier, Names, load_classifier
from phrasebox.regions.backbones.converted import cache_folder
from phrasebox.regions.settings import RegionSettings
from phrasebox.text.languages import is_latin
from phrasebox.text.word_vectors import DIM, text_vectors

LEAST = 0.35  # cosine of a word and a name from which on they are related
_OWN_VECTORS = "given"  # backbone of a workspace with the user's vectors


class ClassNames:
    """The prior of one or two classifiers that have the same classes.

    Parameters
    ----------
    classifiers : sequence of Classifier
        One for each part of the region vectors, in their order.

    Attributes
    ----------
    names : tuple of tuple of str
        The names of each class.
    widths : tuple of int
        Widths of the parts of the region vectors that it reads.
    width, fingerprint
        As of `Prior`.
    """

    def __init__(self, classifiers: Sequence[Classifier]) -> None:
        self.classifiers = tuple(classifiers)
        self.names = self.classifiers[0].names
        self.width = len(self.names)
        self.widths = tuple(one.width for one in self.classifiers)
        self.fingerprint = hashlib.sha256(repr((self.names, LEAST)).encode()).hexdigest()[:16]
        self._words = Remembered(self.width, self._related)

    def probabilities(self, vectors: Tensor) -> Tensor:
        """p_c of every class for regions: (N, D) -> (N, C)."""
        parts = vectors.float().split(self.widths, dim=1)
        logits = [one.logits(part) for one, part in zip(self.classifiers, parts, strict=True)]
        return torch.stack(logits).mean(0).softmax(1)

    def regions(self, vectors: Tensor) -> Tensor:
        """As `Prior.regions`."""
        flat = self.probabilities(vectors.flatten(0, -2))
        return flat.unflatten(0, vectors.shape[:-1])

    def words(self, words: Sequence[str]) -> Tensor:
        """As `Prior.words`; function words are related to no class."""
        return self._words(words)

    def nearness(self, words: Sequence[str]) -> np.ndarray:
        """As `Prior.nearness`: g_c of the nearest class."""
        return self.words(words).amax(1).numpy() if len(words) else np.zeros(0, np.float32)

    def reads(self, width: int) -> bool:
        """As `Prior.reads`."""
        return sum(self.widths) == width

    def _related(self, words: Sequence[str]) -> Tensor:
        """g_c of each word: (T, C); each is computed alone, so that it does not depend on the others by rounding.

        The encoder of the names knows English: a word in other than Latin letters is near none.
        """
        none = torch.full((1, len(self._owner)), -1.0)
        alone = [text_vectors([word]) @ self._vectors.T if is_latin(word) else none for word in words]
        cosines = torch.cat(alone) if alone else torch.zeros(0, len(self._owner))  # (T, names)
        best = torch.full((len(words), self.width), -1.0)
        best.scatter_reduce_(1, self._owner.expand(len(words), -1), cosines, "amax")
        return (best - LEAST).clamp(min=0)

    @cached_property
    def _owner(self) -> Tensor:
        """Class of each name."""
        return torch.tensor([c for c, names in enumerate(self.names) for _ in names])

    @cached_property
    def _vectors(self) -> Tensor:
        """Vector of each name; encoding a thousand takes seconds, so they are kept in the user's cache."""
        return name_vectors(self.names)


def name_vectors(classes: Iterable[Names]) -> Tensor:
    """Unit vectors (N, 384) of all names of all classes, from the cache or encoded and kept there."""
    from safetensors.torch import load, save

    names = [name for synonyms in classes for name in synonyms]
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    path = cache_folder().with_name("names") / f"{digest}-{__version__}.safetensors"
    with suppress(Exception):  # a missing or damaged copy is replaced
        kept = load(path.read_bytes())["vectors"].float()
        if kept.shape == (len(names), DIM) and bool(kept.isfinite().all()):
            return kept
    found = text_vectors(names)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, save({"vectors": found.half()}))
    return found.half().float()


@cache
def load_class_names(settings: RegionSettings) -> ClassNames | None:
    """The prior of the backbones of region settings; None where a classifier, or the names of its classes, is missing.

    Raises
    ------
    ModelError
        If a backbone cannot be loaded.
    """
    if settings.backbone == _OWN_VECTORS:
        return None
    found = [load_classifier(name) for name in (settings.backbone, settings.second) if name]
    usable = [one for one in found if one is not None]
    same = len({one.names for one in usable}) == 1
    return ClassNames(usable) if same and len(usable) == len(found) else None

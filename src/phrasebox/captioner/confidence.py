"""How likely a sentence about an image, or a phrase about a region, names the right thing.

The generator is as sure of a wrong sentence as of a right one where photographs are unlike those it was trained on.
So its own probability is one of several `FEATURES`: the others are how well the built-in aligner finds the sentence's
words in the image, and what the backbones' classifiers see that the sentence does not say. A logistic function of them
is the confidence; another sum of them chooses among the sentences of a beam.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from phrasebox.aligner import Aligner
from phrasebox.aligner.data import pack
from phrasebox.captioner.generate import Written
from phrasebox.captioner.seen import Kinds, Sight
from phrasebox.text.english import is_content
from phrasebox.text.word_vectors import Sentence, WordVectors
from phrasebox.training.region_batch import collate
from phrasebox.types import Regions

FEATURES = ("generator", "aligner", "content", "unsaid")
"""What the confidence is computed from, see `Assessor.features`."""

SURE, SURE_PHRASE = 0.79, 0.3
"""Confidence from which on a caption, and a phrase, is written as if it were sure.

Of captions that have it nine of ten are right. That cannot be had of phrases: nine of ten right ones have theirs."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A weighted sum of the `FEATURES` and a constant."""

    weights: tuple[float, ...]
    bias: float = 0.0

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(N, F) -> (N,)."""
        return features @ np.array(self.weights) + self.bias

    def probability(self, features: np.ndarray) -> np.ndarray:
        """(N, F) -> (N,), the logistic function of the sum."""
        return 1 / (1 + np.exp(-np.clip(self(features), -50, 50)))


CAPTION = Weights((1.5364, 5.895, 5.4654, -1.2856), -1.7041)
"""Of a caption of a whole image; these numbers are fitted by ``benchmarks/captions.py`` to the built-in captioner."""
PHRASE = Weights((1.2434, -0.7948, 0.0432, -0.8795), 0.8226)
"""Of a phrase of a region."""
CHOICE = Weights((0.1348, 0.2949, 0.4088, -0.0308))
"""Which of several captions of an image is best."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Sentences about an image, or phrases of a region.

    Attributes
    ----------
    texts : tuple of str
        The best first.
    score : float
        Probability of the first, as the geometric mean over its words, in [0, 1].
    confidence : float or None
        How likely the first names the right thing; None where there is no aligner, for which nothing was fitted.
    """

    texts: tuple[str, ...]
    score: float
    confidence: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Assessor:
    """What is asked about sentences beside the generator.

    Attributes
    ----------
    aligner : Aligner or None
        None where there is none for these regions: its features are then 0.
    kinds : Kinds or None
        What the backbones' classifiers see; None where they have none with names: nothing is unsaid then.
    """

    aligner: Aligner | None
    kinds: Kinds | None

    def sights(self, regions: Sequence[Regions]) -> list[Sight | None]:
        """What the classifiers see in each image; nothing without ``kinds``."""
        return [None if self.kinds is None else self.kinds.look(r) for r in regions]

    def judged(
        self,
        regions: Sequence[Regions],
        sights: Sequence[Sight | None],
        views: Sequence[Sequence[int]],
        said: Sequence[Sequence[Sequence[Written]]],
        count: int,
        choice: Weights | None,
        confidence: Weights,
    ) -> list[list[Judged]]:
        """The best sentences about each view of each image, and how sure the first is.

        Parameters
        ----------
        regions, sights : sequence of Regions, sequence of Sight or None
            Of each image, see `features`.
        views : sequence of sequence of int
            Regions of each image; 0 is the whole image.
        said : sequence of sequence of sequence of Written
            At least one sentence for each view of each image, the generator's choice first.
        count : int
            Sentences wanted of a view.
        choice : Weights or None
            What orders them; None keeps their order.
        """
        about = [
            [view for view, of in zip(of_image, texts, strict=True) for _ in of]
            for of_image, texts in zip(views, said, strict=True)
        ]
        flat = [[(text, s.score) for of in texts for text, s in of] for texts in said]
        features = self.features(regions, sights, about, flat) if self.aligner is not None else [None] * len(said)
        found = []
        for texts, rows in zip(said, features, strict=True):
            at, of_image = 0, []
            for of in texts:
                order, sure = list(range(len(of))), None
                if rows is not None:
                    own = rows[at : at + len(of)]
                    order = order if choice is None else np.argsort(-choice(own), kind="stable").tolist()
                    sure = float(confidence.probability(own[order[:1]])[0])
                at += len(of)
                best = [of[i] for i in order[:count]]
                of_image.append(Judged(tuple(text for text, _ in best), math.exp(best[0][1].score), sure))
            found.append(of_image)
        return found

    def features(
        self,
        regions: Sequence[Regions],
        sights: Sequence[Sight | None],
        views: Sequence[Sequence[int]],
        said: Sequence[Sequence[tuple[str, float]]],
    ) -> list[np.ndarray]:
        """The `FEATURES` (N, F) of the sentences about each image.

        Mean log-probability a word of the generator; mean over the words of their best learned score with a region;
        the same over content words; the largest probability of a noun of ``kinds`` that no word names. A region's
        phrase is compared with the region alone.

        Parameters
        ----------
        regions : sequence of Regions
            With the vectors that the aligner reads.
        sights : sequence of Sight or None
            From `sights`.
        views : sequence of sequence of int
            For each sentence of each image the region it is about; 0 is the whole image.
        said : sequence of sequence of (str, float)
            The sentences of each image with the mean log-probability of a word.
        """
        texts = [text for of_image in said for text, _ in of_image]
        if not texts:
            return [np.zeros((0, len(FEATURES)))] * len(said)
        aligned = self._aligned(regions, texts, [len(of_image) for of_image in said])
        found, at = [], 0
        for k, (sight, of_image) in enumerate(zip(sights, said, strict=True)):
            rows = np.zeros((len(of_image), len(FEATURES)))
            for row, (view, (_, score)) in enumerate(zip(views[k], of_image, strict=True)):
                words, learned = aligned[at]
                at += 1
                content = [i for i, word in enumerate(words) if is_content(word)]
                where = slice(None) if view == 0 else slice(view, view + 1)
                rows[row, 0] = score
                if learned is not None and len(words):
                    best = learned[:, where].max(1)
                    rows[row, 1] = best.mean()
                    rows[row, 2] = best[content].mean() if content else 0.0
                if sight is not None:
                    rows[row, 3] = sight.unsaid([words[i] for i in content], view)
            found.append(rows)
        return found

    def _aligned(
        self, regions: Sequence[Regions], texts: Sequence[str], counts: Sequence[int]
    ) -> list[tuple[list[str], np.ndarray | None]]:
        """The words of each text and their learned scores (T, R) with the regions of its image."""
        encoder = WordVectors("static") if self.aligner is None else self.aligner.words
        sentences: list[Sentence] = encoder.encode(texts)
        terms = [[word.text for word in sentence.words] for sentence in sentences]
        if self.aligner is None:
            return [(of_text, None) for of_text in terms]
        model, images = self.aligner.model, np.repeat(np.arange(len(regions)), counts).tolist()
        with torch.inference_mode():
            v, _ = model.embed_images(collate(regions))
            s, lengths = model.embed_sentences(pack([sentence.vectors for sentence in sentences]))
            tables = [
                (words @ v[k, : len(regions[k])].T).cpu().numpy()
                for words, k in zip(s.split(lengths.tolist()), images, strict=True)
            ]
        return list(zip(terms, tables, strict=True))

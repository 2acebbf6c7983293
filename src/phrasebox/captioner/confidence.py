"""How likely a sentence about an image, or a phrase about a region, names the right thing.

The generator is as sure of a wrong sentence as of a right one where photographs are unlike those it was trained on.
So its own probability is one of several `FEATURES`: the others are how well the built-in aligner finds the sentence's
words in the image, and what the backbones' classifiers see that the sentence does not say. A logistic function of them
is the confidence; another sum of them chooses among the sentences of a beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from phrasebox.aligner import Aligner
from phrasebox.aligner.priors import ClassNames
from phrasebox.text.english import is_content
from phrasebox.text.word_vectors import Sentence, WordVectors
from phrasebox.types import Regions

FEATURES = ("generator", "aligner", "content", "unsaid")
"""What the confidence is computed from, see `Assessor.features`."""

SURE, SURE_PHRASE = 0.63, 0.29
"""Confidence from which on a caption, and a phrase, is written as if it were sure: nine of ten right ones have it."""


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


CAPTION = Weights((1.8381, 6.2338, 5.5655, -0.7844), -2.2532)
"""Of a caption of a whole image; these numbers are fitted by ``benchmarks/captions.py`` to the built-in captioner."""
PHRASE = Weights((1.4735, -1.0376, 0.7689, -0.9183), 0.7942)
"""Of a phrase of a region."""
CHOICE = Weights((0.0829, 0.5205, 0.1077, -0.0927))
"""Which of several captions of an image is best."""


@dataclass(frozen=True, slots=True, eq=False)
class Assessor:
    """What is asked about sentences beside the generator.

    Attributes
    ----------
    aligner : Aligner or None
        None where there is none for these regions: its features are then 0.
    names : ClassNames or None
        None where the backbones have no classifier with names: nothing is unsaid then.
    """

    aligner: Aligner | None
    names: ClassNames | None

    def features(
        self, regions: Sequence[Regions], views: Sequence[Sequence[int]], said: Sequence[Sequence[tuple[str, float]]]
    ) -> list[np.ndarray]:
        """The `FEATURES` (N, F) of the sentences about each image.

        Mean log-probability a word of the generator; mean over the words of their best learned score with a region;
        the same over content words; the largest share of a class that no word is related to. A region's phrase is
        compared with the region alone.

        Parameters
        ----------
        regions : sequence of Regions
            With the vectors that the aligner and the classifiers read.
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
        for k, (r, of_image) in enumerate(zip(regions, said, strict=True)):
            shares = None if self.names is None else self.names.probabilities(torch.tensor(r.vectors)).numpy()  # (R, C)
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
                if shares is not None and self.names is not None:
                    rows[row, 3] = _unsaid(shares[where].max(0), self.names, [words[i] for i in content])
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
        width = self.aligner.model.settings.dim
        v, _ = self.aligner.embed_regions(regions)
        s, lengths = self.aligner.embed_words(sentences)
        images = np.repeat(np.arange(len(regions)), counts).tolist()
        with torch.inference_mode():
            tables = [
                (words[:, :width] @ v[k, : len(regions[k]), :width].T).cpu().numpy()
                for words, k in zip(s.split(lengths.tolist()), images, strict=True)
            ]
        return list(zip(terms, tables, strict=True))


def _unsaid(shares: np.ndarray, names: ClassNames, content: Sequence[str]) -> float:
    """The largest share (C,) of a class that none of the content words is related to."""
    if not content:
        return float(shares.max())
    related = names.words(content).numpy()  # (T, C)
    return float((shares * (related.max(0) == 0)).max())

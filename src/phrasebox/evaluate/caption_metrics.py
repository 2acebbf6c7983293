"""BLEU, ROUGE-L and CIDEr-D of tokenised captions, equal to those of pycocoevalcap."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from phrasebox.errors import DataError
from phrasebox.io.arguments import a_list

Tokens = Sequence[Hashable]

_LONGEST = 4  # words of the longest n-gram
_BLEU_TINY, _BLEU_SMALL = 1e-15, 1e-9  # added to counts, so that nothing is divided by zero
_ROUGE_BETA = 1.2  # weight of recall against precision
_CIDER_SIGMA = 6.0  # words; width of the Gaussian length penalty
_CIDER_SCALE = 10.0


def bleu(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> tuple[np.ndarray, np.ndarray]:
    """BLEU-1 to BLEU-4 (Papineni et al., 2002) with the closest reference length.

    Parameters
    ----------
    captions : sequence of token sequences
        One for each item.
    references : sequence of sequences of token sequences
        At least one for each item.

    Returns
    -------
    corpus : numpy.ndarray
        (4,), of all captions together; not the mean of the items.
    items : numpy.ndarray
        (N, 4), of each caption.

    Examples
    --------
    >>> bleu(["a dog runs fast".split()], [["a dog runs".split()]])[0].round(2).tolist()
    [0.75, 0.71, 0.63, 0.0]
    """
    _check(captions, references)
    counts = np.array([_bleu_counts(c, r) for c, r in zip(captions, references, strict=True)], float)
    return _bleu(counts.sum(0, keepdims=True))[0], _bleu(counts)


def rouge_l(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> np.ndarray:
    """ROUGE-L (Lin, 2004) of each caption, (N,): F-measure of the longest common subsequence; the corpus has the mean.

    Examples
    --------
    >>> rouge_l(["a dog runs".split()], [["a big dog".split(), "the dog runs".split()]]).round(3).tolist()
    [0.667]
    """
    _check(captions, references)
    return np.array([_rouge_l(c, r) for c, r in zip(captions, references, strict=True)])


def cider_d(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> np.ndarray:
    """CIDEr-D (Vedantam et al., 2015) of each caption, (N,), between 0 and 10; the corpus has the mean.

    Examples
    --------
    >>> cider_d(["a dog".split(), "a cat".split()], [["a dog".split()], ["two cats".split()]]).tolist()
    [5.0, 0.0]
    """
    _check(captions, references)
    scorer = CiderD(references)
    return np.array([scorer.score(i, tokens) for i, tokens in enumerate(captions)])


def _check(captions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> None:
    """Raise `DataError` unless there are references for each caption, and all are lists of tokens."""
    for i, tokens in enumerate(a_list(captions, "captions", "lists of tokens")):
        a_list(tokens, f"captions[{i}]", "tokens")
    for i, of_item in enumerate(a_list(references, "references", "lists of lists of tokens")):
        for j, tokens in enumerate(a_list(of_item, f"references[{i}]", "lists of tokens")):
            a_list(tokens, f"references[{i}][{j}]", "tokens")
    if len(captions) != len(references):
        raise DataError(f"{len(captions)} captions and {len(references)} lists of references; give as many of each")


@dataclass(frozen=True, slots=True)
class _Vector:
    """tf-idf of the n-grams of one sentence, a table and a norm for each n."""

    weights: tuple[dict[tuple, float], ...]
    norms: tuple[float, ...]
    bigrams: int


class CiderD:
    """CIDEr-D of any sentence about one of several images; n-gram frequencies are those of all references.

    Parameters
    ----------
    references : sequence of sequences of token sequences
        At least one sentence for each image.

    Examples
    --------
    >>> scorer = CiderD([["a dog runs fast".split()], ["two cats sleep here".split()]])
    >>> scorer.score(0, "a dog runs fast".split()), scorer.score(1, "a dog runs fast".split())
    (10.0, 0.0)
    """

    def __init__(self, references: Sequence[Sequence[Tokens]]) -> None:
        counted = [[_ngrams(r) for r in of_image] for of_image in references]
        frequency = Counter(gram for of_image in counted for gram in set().union(*of_image))
        self._unseen = math.log(max(1, len(references)))
        self._idf = {gram: self._unseen - math.log(n) for gram, n in frequency.items()}
        self._references = [[self._vector(grams) for grams in of_image] for of_image in counted]

    def score(self, image: int, tokens: Tokens) -> float:
        """CIDEr-D of one sentence about image number ``image``, between 0 and 10."""
        found = self._vector(_ngrams(tokens))
        references = self._references[image]
        return _CIDER_SCALE * sum(_similarity(found, reference) for reference in references) / len(references)

    def _vector(self, grams: Counter[tuple]) -> _Vector:
        weights: tuple[dict[tuple, float], ...] = tuple({} for _ in range(_LONGEST))
        for gram, count in grams.items():
            weights[len(gram) - 1][gram] = count * self._idf.get(gram, self._unseen)
        norms = tuple(math.sqrt(sum(w * w for w in table.values())) for table in weights)
        return _Vector(weights, norms, sum(n for gram, n in grams.items() if len(gram) == 2))


def _ngrams(tokens: Tokens) -> Counter[tuple]:
    line = tuple(tokens)
    return Counter(line[i : i + n] for n in range(1, _LONGEST + 1) for i in range(len(line) - n + 1))


def _similarity(found: _Vector, reference: _Vector) -> float:
    """Mean over n of the clipped cosine, times the length penalty."""
    total = 0.0
    for mine, theirs, norm, other in zip(found.weights, reference.weights, found.norms, reference.norms, strict=True):
        shared = sum(min(w, theirs[gram]) * theirs[gram] for gram, w in mine.items() if gram in theirs)
        if norm and other:
            total += shared / (norm * other)
    gap = found.bigrams - reference.bigrams
    return total / _LONGEST * math.exp(-gap * gap / (2 * _CIDER_SIGMA**2))


def _bleu_counts(caption: Tokens, references: Sequence[Tokens]) -> list[int]:
    """Words, words of the closest reference, n-grams that a reference has for n = 1 to 4, and all n-grams."""
    closest = min((abs(len(r) - len(caption)), len(r)) for r in references)[1]
    most: Counter[tuple] = Counter()
    for reference in references:
        most |= _ngrams(reference)
    matched = [0] * _LONGEST
    for gram, count in (_ngrams(caption) & most).items():
        matched[len(gram) - 1] += count
    return [len(caption), closest, *matched, *(max(0, len(caption) - n) for n in range(_LONGEST))]


def _bleu(counts: np.ndarray) -> np.ndarray:
    """BLEU-1 to BLEU-4 (N, 4) of counts (N, 10)."""
    length, closest, matched, total = np.split(counts, [1, 2, 2 + _LONGEST], axis=1)
    precisions = (matched + _BLEU_TINY) / (total + _BLEU_SMALL)
    means = np.cumprod(precisions, axis=1) ** (1 / np.arange(1, _LONGEST + 1))
    ratio = (length + _BLEU_TINY) / (closest + _BLEU_SMALL)
    return means * np.exp(np.minimum(0, 1 - 1 / ratio))


def _rouge_l(caption: Tokens, references: Sequence[Tokens]) -> float:
    words = caption or [""]  # no words are one empty word
    common = [(_longest_common(words, r or [""]), max(1, len(r))) for r in references]
    precision, recall = max(n for n, _ in common) / len(words), max(n / length for n, length in common)
    if not precision:
        return 0.0
    return (1 + _ROUGE_BETA**2) * precision * recall / (recall + _ROUGE_BETA**2 * precision)


def _longest_common(one: Tokens, other: Tokens) -> int:
    """Length of the longest common subsequence, by the bit-parallel recurrence of Hyyrö (2004)."""
    places: dict[Hashable, int] = {}
    for i, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << i
    every = row = (1 << len(one)) - 1
    for token in other:
        matched = row & places.get(token, 0)
        row = (row + matched | row - matched) & every
    return len(one) - row.bit_count()

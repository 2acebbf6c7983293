"""Which words a model knows: those of the captions it was trained on, and those near a class name of its prior."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phrasebox.aligner.priors import NAMED, Prior
from phrasebox.errors import ModelError
from phrasebox.io.atomic import write_whole
from phrasebox.io.model_folder import VOCABULARY
from phrasebox.text.english import is_content
from phrasebox.text.words import words

RARITY = 5.0  # taken for every word if the captions are not known, about the mean of content words
FREQUENT, SELDOM = 90, 665  # ranks of words that the captions teach well, up to the first, and little, from the second
_SHOWN = 3  # unknown words that are shown


@dataclass(frozen=True, slots=True)
class KnownWords:
    """What a model knows about words.

    Attributes
    ----------
    ranks : dict of str to int, or None
        Lower-cased words of the training captions, from the most frequent one; None if the model's folder does not
        have them.
    prior : Prior or None
        The class names, if they are used.
    """

    ranks: dict[str, int] | None
    prior: Prior | None

    @classmethod
    def of(cls, vocabulary: Iterable[str] | None, prior: Prior | None) -> KnownWords:
        """Of the words of the captions, most frequent first."""
        return cls(None if vocabulary is None else {term: i for i, term in enumerate(vocabulary)}, prior)

    def in_captions(self, words: Sequence[str]) -> np.ndarray:
        """Whether the captions have each word: (T,) bool; all of them if the vocabulary is not there."""
        ranks = self.ranks
        return np.array([ranks is None or word.lower() in ranks for word in words], bool)

    def rarity(self, words: Sequence[str]) -> np.ndarray:
        """log(1 + rank) of each word, (T,) float; a word that is not there comes after all. `RARITY` without ranks."""
        if self.ranks is None:
            return np.full(len(words), RARITY)
        return np.log1p([self.ranks.get(word.lower(), len(self.ranks)) for word in words])

    def rareness(self, words: Sequence[str]) -> np.ndarray:
        """How little the captions teach about each word, from 0 to 1: (T,) float.

        0 up to rank `FREQUENT`, 1 from rank `SELDOM` on and for a word that is not there, linear in `rarity` between.
        """
        low, high = np.log1p([FREQUENT, SELDOM])
        found = np.clip((self.rarity(words) - low) / (high - low), 0, 1)
        return np.where(self.in_captions(words), found, 1.0)

    def nearest_name(self, words: Sequence[str]) -> np.ndarray:
        """How near each word is to what the prior knows, such as a class name: (T,) float32; 0 without a prior."""
        if self.prior is None or not len(words):
            return np.zeros(len(words), np.float32)
        return self.prior.nearness(words)

    def known(self, words: Sequence[str], nearest: np.ndarray | None = None) -> np.ndarray:
        """Whether the captions or the class names know each word: (T,) bool; ``nearest`` as of `nearest_name`."""
        nearest = self.nearest_name(words) if nearest is None else nearest
        return self.in_captions(words) | (nearest >= NAMED)


def read_vocabulary(folder: Path, name: str = VOCABULARY) -> tuple[str, ...] | None:
    """The words of the training captions in a model's folder, most frequent first; None if they are not there.

    Of another ``name``, what `write_vocabulary` wrote under it.

    Raises
    ------
    ModelError
        If the file cannot be read.
    """
    path = folder / name
    try:
        return tuple(path.read_text(encoding="utf-8").split()) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error


def write_vocabulary(folder: Path, terms: Iterable[str], name: str = VOCABULARY) -> None:
    """Write the words of the training captions, one a line."""
    write_whole(folder / name, "".join(f"{term}\n" for term in terms).encode())


def unknown_note(phrases: Iterable[tuple[str, bool]]) -> str | None:
    """One line if most phrases are unknown to the model; None if not.

    Parameters
    ----------
    phrases : iterable of (text, unknown)

    Examples
    --------
    >>> print(unknown_note([("a cup", True), ("the saucer", True), ("a dog", False)]))
    most of it is unknown to the model (cup, saucer): train on captions of your own with phrasebox align
    >>> unknown_note([("a cup", True), ("a dog", False)])
    """
    count, unknown = 0, list[str]()
    for text, is_unknown in phrases:
        count += 1
        if is_unknown:
            unknown.append(text)
    if 2 * len(unknown) <= count:
        return None
    terms = Counter(w.text.lower() for text in unknown for w in words(text) if is_content(w.text))
    shown = ", ".join(term for term, _ in terms.most_common(_SHOWN)) + (", ..." if len(terms) > _SHOWN else "")
    return f"most of it is unknown to the model ({shown}): train on captions of your own with phrasebox align"

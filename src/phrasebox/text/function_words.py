"""Function words of any language, learned from images with several captions.

The captions of an image agree on what it shows and not on *in* or *the*: a content word that one caption of an image
has is much more likely in the others than in any caption, a function word hardly is (Church and Gale, *Poisson
mixtures*, 1995, on words in documents).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from phrasebox.text.words import words
from phrasebox.types import Word

_LIKELIER = 2.5  # times; a word that is less likelier in the image's other captions is a function word
_LEAST = 0.005  # share of the captions that have it, as the ratio of a rare word says little
_LEAST_COUNT = 20  # and their number


def learn_function_words(
    images: Iterable[Sequence[str]], split: Callable[[str], tuple[Word, ...]] = words
) -> tuple[str, ...]:
    """The function words of captions, in lower case, most frequent first; none if images have one caption each.

    Parameters
    ----------
    images : iterable of sequences of str
        The captions of every image.
    """
    having: Counter[str] = Counter()  # captions that have a word
    again: Counter[str] = Counter()  # sum over them of the share of the image's other captions that have it too
    captions = 0
    for texts in images:
        if len(texts) < 2:
            continue
        captions += len(texts)
        own = Counter(term for text in texts for term in {word.text.lower() for word in split(text)})
        for term, count in own.items():
            having[term] += count
            again[term] += count * (count - 1) / (len(texts) - 1)  # type: ignore[assignment]
    least = max(_LEAST * captions, _LEAST_COUNT)
    common = [(term, count) for term, count in having.items() if count >= least]
    found = [(term, count) for term, count in common if again[term] * captions < _LIKELIER * count * count]
    return tuple(term for term, _ in sorted(found, key=lambda item: (-item[1], item[0])))


def marking(
    split: Callable[[str], tuple[Word, ...]], function_words: Iterable[str]
) -> Callable[[str], tuple[Word, ...]]:
    """``split`` with the function words marked.

    >>> [word.function for word in marking(words, ["的"])("红色的狗")]
    [False, False, True, False]
    """
    known = frozenset(function_words)
    if not known:
        return split
    return lambda text: tuple(
        replace(word, function=True) if word.text.lower() in known else word for word in split(text)
    )

"""Noun phrases of English captions, found by a small linear-chain CRF that learned where people see phrases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from phrasebox.io.arguments import checked
from phrasebox.text.english import is_content
from phrasebox.text.words import words as split
from phrasebox.types import Caption, Span, Word

if TYPE_CHECKING:
    from pycrfsuite import Tagger  # type: ignore[attr-defined]

BUILT_IN = Path(str(resources.files("phrasebox") / "pretrained" / "noun_phrases"))
MODEL, WORDS = "chunker.crf", "words.txt"  # files of a folder: the CRF, and the words of its training captions

ENGLISH = 0.4  # share to exceed by the known words of a caption that is taken for English
NOT_VISUAL = "notvisual"  # type of Entities phrases that name nothing in the image, such as *it* and *each other*
_RARE = 3  # words in fewer training captions are not kept as known
_L1, _L2, _LEAST, _ITERATIONS = 1.0, 0.01, 3, 100  # penalties, least count of a feature, iterations of L-BFGS
_BEGIN, _INSIDE, _OUTSIDE = "B", "I", "O"


@checked(caption=str, words=[Word])
def noun_phrases(caption: str, words: Sequence[Word]) -> list[Span] | None:
    """Noun phrases of an English caption; None for a caption that is not English.

    A phrase has its determiner, numbers, colours and adjectives, and what *of* and *and* tie to it in the phrases of
    Flickr30k Entities. Verbs, prepositions, pronouns and words of place, such as *front* in *in front of*, are in none.
    A caption is taken for English if more than the share `ENGLISH` of its words is known.

    Parameters
    ----------
    words : sequence of Word
        The words of ``caption``, from `phrasebox.text.words.words`.

    Returns
    -------
    list of (start, end) or None
        Characters of the caption, in reading order, without overlap; may be empty.

    Examples
    --------
    >>> caption = "A red bus drives past two women in front of a black and white sign ."
    >>> [caption[slice(*span)] for span in noun_phrases(caption, split(caption))]
    ['A red bus', 'two women', 'a black and white sign']
    >>> noun_phrases("Zwei Hunde", split("Zwei Hunde")) is None
    True
    """
    tagger, known = _built_in()
    if sum(word.text.lower() in known or not is_content(word.text) for word in words) <= ENGLISH * len(words):
        return None
    return spans(words, tagger.tag(features(caption, words)))


def features(caption: str, words: Sequence[Word]) -> list[list[str]]:
    """What the CRF sees of each word: itself and its neighbours in lower case, endings, digits, punctuation before."""
    text = ["<", "<", *(word.text.lower() for word in words), ">", ">"]
    found = []
    for i, word in enumerate(words):
        two_before, before, own, after, two_after = text[i : i + 5]
        seen = [
            f"0={own}",
            f"-={before}",
            f"+={after}",
            f"--={two_before}",
            f"++={two_after}",
            f"-0={before}|{own}",
            f"0+={own}|{after}",
            f"-+={before}|{after}",
            f"3={own[-3:]}",
            f"2={own[-2:]}",
            f"-3={before[-3:]}",
            f"+3={after[-3:]}",
        ]
        if i and (gap := caption[words[i - 1].end : word.start].strip()):
            seen.append(f"gap={gap[0]}")
        if own[0].isdigit():
            seen.append("digit")
        found.append(seen)
    return found


def labels(caption: Caption, words: Sequence[Word]) -> list[str]:
    """Label of each word: the first of a phrase (B), another of it (I), or outside (O), as phrases not visual are.

    Examples
    --------
    >>> from phrasebox.types import TruePhrase
    >>> text = "a dog beside it"
    >>> caption = Caption(text, (TruePhrase("a dog", (0, 5)), TruePhrase("it", (13, 15), types=("notvisual",))))
    >>> labels(caption, split(text))
    ['B', 'I', 'O', 'O']
    """
    found = [_OUTSIDE] * len(words)
    for phrase in caption.phrases:
        start, end = phrase.span
        inside = [i for i, word in enumerate(words) if word.start < end and start < word.end]
        if inside and NOT_VISUAL not in phrase.types:
            found[inside[0] : inside[-1] + 1] = [_BEGIN] + [_INSIDE] * (len(inside) - 1)
    return found


def spans(words: Sequence[Word], labelled: Sequence[str]) -> list[Span]:
    """The phrases of labelled words, as characters of their caption; the inverse of `labels`."""
    found: list[Span] = []
    before = _OUTSIDE
    for word, label in zip(words, labelled, strict=True):
        if label == _BEGIN or (label == _INSIDE and before == _OUTSIDE):
            found.append((word.start, word.end))
        elif label == _INSIDE:
            found[-1] = (found[-1][0], word.end)
        before = label
    return found


def learn(captions: Iterable[Caption], folder: Path) -> None:
    """Learn noun phrases from captions whose phrases people marked; no image and no box is read.

    Writes `MODEL` and `WORDS` into ``folder``; the same captions give the same files.
    """
    from pycrfsuite import Trainer  # type: ignore[attr-defined]

    trainer = Trainer(
        algorithm="lbfgs",
        params={"c1": _L1, "c2": _L2, "feature.minfreq": _LEAST, "max_iterations": _ITERATIONS},
        verbose=False,
    )
    seen: Counter[str] = Counter()
    for caption in captions:
        if words := split(caption.text):
            trainer.append(features(caption.text, words), labels(caption, words))
            seen.update({word.text.lower() for word in words})
    folder.mkdir(parents=True, exist_ok=True)
    trainer.train(str(folder / MODEL))
    known = sorted(word for word, count in seen.items() if count >= _RARE)
    (folder / WORDS).write_text("\n".join(known) + "\n", encoding="utf-8")


def load(folder: Path) -> tuple[Tagger, frozenset[str]]:
    """The CRF that `learn` wrote into a folder, and the words it knows."""
    from pycrfsuite import Tagger  # type: ignore[attr-defined]

    tagger = Tagger()
    tagger.open(str(folder / MODEL))
    return tagger, frozenset((folder / WORDS).read_text(encoding="utf-8").split())


@cache
def _built_in() -> tuple[Tagger, frozenset[str]]:
    return load(BUILT_IN)

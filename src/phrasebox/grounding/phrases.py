"""Phrases of a decoded sentence: its noun phrases, or segments of the chain trimmed to content words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import regex

from phrasebox.boxes import covers_image, iou
from phrasebox.grounding.confidence import confidence, posterior
from phrasebox.grounding.decode import segments
from phrasebox.io.arguments import checked
from phrasebox.text.english import DETERMINERS, has_content, is_verb_in_ing, links
from phrasebox.text.noun_phrases import noun_phrases
from phrasebox.types import Phrase, Regions, Span, Word

_SENTENCE_END = regex.compile(r"[.;:!?。！？।؟\n]")  # a phrase never runs over the end of a sentence

_JOIN_IOU = 0.1  # least IoU of the boxes of two neighbouring segments that are joined


def trim(words: Sequence[Word], start: int, end: int) -> tuple[int, int]:
    """Cut function words off both edges of ``words[start:end]``; a leading determiner stays.

    Returns
    -------
    (int, int)
        The words that remain; equal numbers if none is a content word.

    Examples
    --------
    >>> from phrasebox.text.words import words
    >>> w = words("with a tabby cat and the")
    >>> trim(w, 0, 6)
    (1, 4)
    """
    while end > start and not has_content(words[end - 1]):
        end -= 1
    first = start
    while first < end and not has_content(words[first]):
        first += 1
    if first > start and first < end and words[first - 1].text.lower() in DETERMINERS:
        first -= 1
    return first, end


@checked(caption=str, words=[Word], scores="(T, R)", assignment="(T,) int", regions=Regions, temperature=float)
def clean_phrases(
    caption: str,
    words: Sequence[Word],
    scores: np.ndarray,
    assignment: np.ndarray,
    regions: Regions,
    temperature: float = 1.0,
) -> tuple[Phrase, ...]:
    """The region-phrase pairs of one decoded sentence.

    Each run of words on one region is split at ends of sentences, trimmed by `trim`, and dropped if nothing but
    function words remains.

    Parameters
    ----------
    scores : (T, R)
        v_i . s_t of every word and region.
    assignment : (T,) int
        a_t, from `decode`.
    temperature : float
        The model's factor on scores (1 for a model that does not normalise).

    Returns
    -------
    tuple of Phrase
        In reading order; each span is exact: ``caption[start:end] == phrase.text``.
    """
    found = []
    for first, last, region in trimmed_runs(caption, words, assignment):
        span = (words[first].start, words[last - 1].end)
        score, box = scores[first:last].mean(0), regions.box(region)
        sure = confidence(posterior(score, temperature), iou(regions.boxes[region], regions.boxes))
        whole = covers_image(box, regions.width, regions.height)
        found.append(Phrase(caption[slice(*span)], span, box, float(score[region]), sure, whole, region))
    return tuple(found)


def assigned(words: Sequence[Word], phrases: Sequence[Phrase], decoded: np.ndarray) -> np.ndarray:
    """The region of every word (T,): that of the shortest phrase that holds it, else the ``decoded`` one.

    Examples
    --------
    >>> from phrasebox.text.words import words
    >>> from phrasebox.types import Box
    >>> dog = Phrase("A dog", (0, 5), Box(0, 0, 1, 1), 0.5, 0.5, region=2)
    >>> assigned(words("A dog runs"), [dog], np.array([0, 1, 1])).tolist()
    [2, 2, 1]
    """
    found = decoded.copy()
    for phrase in sorted(phrases, key=lambda phrase: phrase.span[0] - phrase.span[1]):
        start, end = phrase.span
        found[[t for t, word in enumerate(words) if word.start < end and word.end > start]] = phrase.region
    return found


@checked(caption=str, words=[Word], assignment="(T,) int", boxes="(R, 4)")
def phrase_spans(
    caption: str, words: Sequence[Word], assignment: np.ndarray, boxes: np.ndarray, verbs: bool = False
) -> list[Span]:
    """Phrases of a decoded sentence, each to be localised by itself.

    They are the noun phrases of an English caption. With ``verbs``, and in other languages, they are `chain_phrases`.

    Parameters
    ----------
    assignment : (T,) int
        a_t, from `decode`.
    boxes : (R, 4)
        Boxes of the regions.
    verbs : bool
        Keep verbs, and words that noun phrases leave out.

    Returns
    -------
    list of (start, end)
        Characters of the caption, in reading order.

    Examples
    --------
    >>> from phrasebox.text.words import words
    >>> caption = "A smiling woman holding a helmet stands in front of an American flag ."
    >>> one_region = np.zeros(13, int), np.array([[0, 0, 9, 9]], np.float32)
    >>> [caption[slice(*span)] for span in phrase_spans(caption, words(caption), *one_region)]
    ['A smiling woman', 'a helmet', 'an American flag']
    >>> [caption[slice(*span)] for span in phrase_spans(caption, words(caption), *one_region, verbs=True)]
    ['A smiling woman', 'holding', 'a helmet stands', 'an American flag']
    """
    found = None if verbs else noun_phrases(caption, words)
    return chain_phrases(caption, words, assignment, boxes) if found is None else found


@checked(caption=str, words=[Word], assignment="(T,) int", boxes="(R, 4)")
def chain_phrases(caption: str, words: Sequence[Word], assignment: np.ndarray, boxes: np.ndarray) -> list[Span]:
    """Phrases cut from the decoded chain, finer than its segments.

    Neighbouring segments are joined if their boxes overlap, because the arg-max among near-equal boxes is arbitrary,
    and if the cut falls right behind a determiner or one word later. The joined segments are then cut at ends of
    sentences and at function words, except those that link two nouns, as in *a pair of boots*. A determiner begins a
    new phrase, and so does a verb in -ing after a content word. Function words of other languages are those that a
    model learned from its captions; without any the segments stay whole.

    Parameters
    ----------
    assignment : (T,) int
        a_t, from `decode`.
    boxes : (R, 4)
        Boxes of the regions.

    Returns
    -------
    list of (start, end)
        Characters of the caption, in reading order; each span begins and ends with a content word, except for a leading
        determiner.

    Examples
    --------
    >>> from phrasebox.text.words import words
    >>> caption = "A smiling woman holding a helmet stands in front of an American flag ."
    >>> boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 8], [0, 20, 9, 29]], np.float32)
    >>> assignment = np.array([0, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    >>> [caption[slice(*span)] for span in chain_phrases(caption, words(caption), assignment, boxes)]
    ['A smiling woman', 'holding', 'a helmet stands', 'an American flag']
    """
    joined: list[tuple[int, int, int]] = []
    for start, end, region in _runs(caption, words, assignment):
        before = joined[-1] if joined else None
        if (
            before is not None
            and not _SENTENCE_END.search(caption, words[start - 1].end, words[start].start)
            and (
                any(word.text.lower() in DETERMINERS for word in words[max(before[0], start - 2) : start])
                or iou(boxes[before[2]], boxes[[region]])[0] >= _JOIN_IOU
            )
        ):
            joined[-1] = (before[0], end, region)
        else:
            joined.append((start, end, region))
    spans = []
    for start, end, _ in joined:
        for first, last in _cut(words, start, end):
            first, last = trim(words, first, last)
            if first < last:
                spans.append((words[first].start, words[last - 1].end))
    return spans


def _cut(words: Sequence[Word], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Pieces of ``words[start:end]`` between function words; a determiner goes with what follows."""
    first = start
    linked = -1  # last word that a linking word ties to those before it
    for t in range(start, end):
        word = words[t].text
        if first < t < end - 1 and links(words[t - 1].text, word, words[t + 1].text):
            linked = t + 1
        elif not has_content(words[t]):
            if t == linked:
                continue
            yield first, t
            first = t if word.lower() in DETERMINERS else t + 1
        elif t > first and is_verb_in_ing(word) and has_content(words[t - 1]):
            yield first, t
            first = t
    yield first, end


def trimmed_runs(caption: str, words: Sequence[Word], assignment: np.ndarray) -> list[tuple[int, int, int]]:
    """``(first word, last word + 1, region)`` of each segment in one sentence, trimmed, if a content word remains."""
    trimmed = [(*trim(words, start, end), region) for start, end, region in _runs(caption, words, assignment)]
    return [(first, last, region) for first, last, region in trimmed if first < last]


def _runs(caption: str, words: Sequence[Word], assignment: np.ndarray) -> list[tuple[int, int, int]]:
    """Segments of the assignment, cut where a sentence ends between two words."""
    runs = []
    for start, end, region in segments(assignment):
        cut = start
        for t in range(start + 1, end):
            if _SENTENCE_END.search(caption, words[t - 1].end, words[t].start):
                runs.append((cut, t, region))
                cut = t
        runs.append((cut, end, region))
    return runs

"""From decoded runs of words to clean phrases with a score and a confidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import regex

from phrasebox.boxes import covers_image, iou
from phrasebox.grounding.segments import segments
from phrasebox.text.english import DETERMINERS, is_content, is_verb_in_ing, links
from phrasebox.types import Phrase, Regions, Span, Word

_BREAK = regex.compile(r"[.;:!?。！？।؟\n]")  # a phrase never runs over the end of a sentence

_NEAR = 0.1  # IoU from which on neighbouring words on two boxes are not kept apart


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
    while end > start and not is_content(words[end - 1].text):
        end -= 1
    first = start
    while first < end and not is_content(words[first].text):
        first += 1
    if first > start and first < end and words[first - 1].text.lower() in DETERMINERS:
        first -= 1
    return first, end


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
    for start, end, region in _runs(caption, words, assignment):
        first, last = trim(words, start, end)
        if first == last:
            continue
        span = (words[first].start, words[last - 1].end)
        score, box = scores[first:last].mean(0), regions.box(region)
        sure = confidence(score, region, regions.boxes, temperature)
        whole = covers_image(box, regions.width, regions.height)
        found.append(Phrase(caption[slice(*span)], span, box, float(score[region]), sure, whole, region))
    return tuple(found)


def phrase_spans(caption: str, words: Sequence[Word], assignment: np.ndarray, boxes: np.ndarray) -> list[Span]:
    """The phrases of a decoded sentence, finer than its segments: pieces that can each have a box of their own.

    Neighbouring segments on boxes that overlap are one, as the arg-max among near-equal boxes is a toss; so are
    segments that part a determiner, or a determiner and the word behind it, from what follows. A segment is then cut
    at ends of sentences and at function words, but for those that hold words together, as in *a pair of boots*; a
    determiner begins a new phrase, and so does a verb in -ing behind a content word. In a language whose function
    words are not known the segments stay whole.

    Parameters
    ----------
    assignment : (T,) int
        a_t, from `decode`.
    boxes : (R, 4)
        Of the regions.

    Returns
    -------
    list of (start, end)
        Characters of the caption, in reading order; each span holds a content word and begins and ends with one, but
        for a determiner in front.

    Examples
    --------
    >>> from phrasebox.text.words import words
    >>> caption = "A smiling woman holding a helmet stands in front of an American flag ."
    >>> boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 8], [0, 20, 9, 29]], np.float32)
    >>> assignment = np.array([0, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    >>> [caption[slice(*span)] for span in phrase_spans(caption, words(caption), assignment, boxes)]
    ['A smiling woman', 'holding', 'a helmet stands', 'an American flag']
    """
    joined: list[tuple[int, int, int]] = []
    for start, end, region in _runs(caption, words, assignment):
        before = joined[-1] if joined else None
        if (
            before is not None
            and not _BREAK.search(caption, words[start - 1].end, words[start].start)
            and (
                any(word.text.lower() in DETERMINERS for word in words[max(before[0], start - 2) : start])
                or iou(boxes[before[2]], boxes[[region]])[0] >= _NEAR
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
    linked = -1  # the last word that is held to those before it
    for t in range(start, end):
        word = words[t].text
        if first < t < end - 1 and links(words[t - 1].text, word, words[t + 1].text):
            linked = t + 1
        elif not is_content(word):
            if t == linked:
                continue
            yield first, t
            first = t if word.lower() in DETERMINERS else t + 1
        elif t > first and is_verb_in_ing(word) and is_content(words[t - 1].text):
            yield first, t
            first = t
    yield first, end


def confidence(scores: np.ndarray, region: int, boxes: np.ndarray, temperature: float) -> float:
    """Posterior probability that the phrase belongs to this region, or to one that overlaps it by half or more.

    softmax over regions of temperature times the mean word score, summed over the regions of IoU >= 0.5 with the
    chosen one: near-equal boxes share a vote, so none of them alone can be judged by its own.

    Examples
    --------
    >>> boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 3], [5, 5, 6, 6]], np.float32)
    >>> round(confidence(np.array([1.0, 1.0, 1.0]), 0, boxes, temperature=1.0), 3)
    0.667
    """
    weights = np.exp(temperature * (scores - scores.max()))
    share = weights[iou(boxes[region], boxes) >= 0.5].sum() / weights.sum()
    return min(1.0, float(share))  # the two sums round differently


def _runs(caption: str, words: Sequence[Word], assignment: np.ndarray) -> list[tuple[int, int, int]]:
    """Segments of the assignment, cut where a sentence ends between two words."""
    runs = []
    for start, end, region in segments(assignment):
        cut = start
        for t in range(start + 1, end):
            if _BREAK.search(caption, words[t - 1].end, words[t].start):
                runs.append((cut, t, region))
                cut = t
        runs.append((cut, end, region))
    return runs

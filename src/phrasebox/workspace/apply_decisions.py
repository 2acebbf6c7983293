"""Apply reviewers' decisions to the decoded phrases of an image."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from phrasebox.types import Box, GroundedCaption, Phrase, Span
from phrasebox.workspace.decisions import Decision

State = Literal["open", "accepted", "rejected", "edited"]
_STATES: dict[str, State] = {"accept": "accepted", "reject": "rejected", "edit": "edited"}
_SAME = 0.5  # pixels; sides of equal boxes differ by less


@dataclass(frozen=True, slots=True)
class Settled:
    """A phrase of an image with the decision about it.

    Attributes
    ----------
    caption : int
        Index of its caption among those of the image.
    phrase : Phrase
        The phrase after the decision; score and confidence are the model's, 1 where the model has none.
    found, found_box : Span, Box
        The phrase as it was decoded.
    decision : Decision or None
        The latest decision about it, None while nobody has reviewed it.
    """

    caption: int
    phrase: Phrase
    found: Span
    found_box: Box
    state: State = "open"
    decision: Decision | None = None


def settle(
    captions: Sequence[GroundedCaption],
    decisions: Iterable[Decision],
    size: tuple[int, int],
    reviewed: Collection[str] = (),
) -> list[Settled]:
    """All phrases of an image, including rejected ones, in the order of its captions and words.

    A decision belongs to the phrase with the same words and the same box. If the captions were decoded again and there
    is no such phrase, an accepted or edited phrase replaces any decoded one of the same words, and a rejected one is
    dropped. A caption that was ``reviewed`` as a whole keeps only the phrases that the reviewer left in it.

    Parameters
    ----------
    captions : sequence of GroundedCaption
        Captions with their decoded phrases, or with those that a reviewer of the whole caption left.
    decisions : iterable of Decision
        The latest decision for each phrase of the image.
    size : (int, int)
        Width and height in pixels of the image; boxes that refer to another size are scaled.
    reviewed : collection of str
        Texts of the captions that were reviewed as a whole.
    """
    by_caption: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_caption.setdefault(decision.caption, []).append(_scaled(decision, size))
    found = []
    for i, caption in enumerate(captions):
        made = by_caption.get(caption.text, [])
        whole = caption.text in reviewed
        left = list(made)
        own = []
        for phrase in caption.phrases:
            decision = next((d for d in left if d.found == phrase.span and _same(d.found_box, phrase.box)), None)
            if decision:
                left.remove(decision)
            own.append(_settled(i, phrase, decision, whole))
        if not whole:
            stay = [d for d in left if d.verdict != "reject"]
            taken = {d.found for d in stay} | {d.span for d in stay}
            own = [one for one in own if one.decision or one.found not in taken]
            own += [_settled(i, Phrase("", d.found, d.found_box, 1.0, 1.0), d, False) for d in stay]
        found += sorted(own, key=lambda one: one.found)
    return found


def with_decisions(
    captions: Sequence[GroundedCaption],
    decisions: Sequence[Decision],
    size: tuple[int, int],
    reviewed: Collection[str] = (),
) -> tuple[GroundedCaption, ...]:
    """The captions of an image without rejected phrases, and with accepted and edited ones as reviewers left them.

    Parameters
    ----------
    captions, decisions, size, reviewed
        As in `settle`.
    """
    if not decisions:
        return tuple(captions)
    kept: list[list[Phrase]] = [[] for _ in captions]
    for one in settle(captions, decisions, size, reviewed):
        if one.decision is None:
            kept[one.caption].append(one.phrase)
        elif one.state != "rejected":
            seen = replace(one.phrase, score=1.0, confidence=1.0, region=-1, reviewed=True)
            kept[one.caption].append(seen)
    return tuple(GroundedCaption(caption.text, tuple(own)) for caption, own in zip(captions, kept, strict=True))


def _settled(i: int, phrase: Phrase, decision: Decision | None, whole: bool) -> Settled:
    span, box = phrase.span, phrase.box
    if decision is None:
        return Settled(i, phrase, span, box, "accepted" if whole else "open")
    if decision.verdict != "reject":
        text = decision.caption[slice(*decision.span)]
        whole_image = decision.whole_image
        phrase = replace(phrase, text=text, span=decision.span, box=decision.box, whole_image=whole_image)
    return Settled(i, phrase, span, box, _STATES[decision.verdict], decision)


def _scaled(decision: Decision, size: tuple[int, int]) -> Decision:
    if decision.size == size or not min(size):
        return decision
    scale = size[0] / decision.size[0], size[1] / decision.size[1]
    boxes = {"found_box": decision.found_box.scaled(*scale), "box": decision.box.scaled(*scale)}
    return replace(decision, size=size, **boxes)


def _same(one: Box, other: Box) -> bool:
    return all(abs(a - b) < _SAME for a, b in zip(one, other, strict=True))

"""What is said about one image, and which of its regions are worth a phrase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phrasebox.boxes import covers_image, iou
from phrasebox.captioner.confidence import SURE, SURE_PHRASE
from phrasebox.captioner.seen import Seen, in_words
from phrasebox.io import detections, notebook
from phrasebox.text.english import is_content
from phrasebox.text.words import words
from phrasebox.types import Box, Regions

_OVERLAP = 0.4  # IoU above which two regions show the same thing
_COMMON = 0.5  # share of content words above which two phrases say the same thing


class _Assessed:
    """A written text with its score and confidence."""

    __slots__ = ()
    score: float
    confidence: float | None
    likely: tuple[Seen, ...]

    @property
    def _assessed(self) -> tuple[str, float]:
        """The text, and the confidence from which it is sure."""
        raise NotImplementedError

    @property
    def sure(self) -> bool:
        """Whether the confidence is at least `phrasebox.captioner.confidence.SURE`, or `SURE_PHRASE` of a region."""
        return self.confidence is None or self.confidence >= self._assessed[1]

    @property
    def certainty(self) -> float:
        """The confidence; the score where there is none."""
        return self.score if self.confidence is None else self.confidence

    @property
    def shown(self) -> str:
        """The text, or what is likely there."""
        return self._assessed[0] if self.sure else in_words(self.likely)


@dataclass(frozen=True, slots=True)
class DescribedRegion(_Assessed):
    """A region and its phrase.

    Attributes
    ----------
    score : float
        Probability of the phrase for a region, as the geometric mean over its words, in [0, 1].
    captions : tuple of str
        All phrases that were asked for, the first is ``text``.
    confidence : float or None
        How likely the phrase names the right thing, in [0, 1]; None for captioners other than the built-in one.
    likely : tuple of Seen
        What the backbones' classifiers see in the region where the phrase is not `sure`.
    """

    text: str
    box: Box
    score: float
    captions: tuple[str, ...] = ()
    confidence: float | None = None
    likely: tuple[Seen, ...] = ()

    @property
    def _assessed(self) -> tuple[str, float]:
        return self.text, SURE_PHRASE


@dataclass(frozen=True, slots=True)
class Description(_Assessed, detections.Detected):
    """An image in words.

    Attributes
    ----------
    caption : str
        About the whole image.
    score : float
        As that of a region.
    captions : tuple of str
        All captions that were asked for, the first is ``caption``.
    regions : tuple of DescribedRegion
        From the most to the least telling; the user's own boxes in the order given.
    width, height : int
        Pixels that the boxes refer to.
    seen : tuple of Seen
        What the backbones' classifiers see, from the likeliest; empty without a classifier that has names.
    confidence : float or None
        How likely the caption names the right thing, in [0, 1]; None for captioners other than the built-in one.
    likely : tuple of Seen
        As ``seen``, with smaller shares too, where the caption is not `sure`.
    """

    caption: str
    score: float
    captions: tuple[str, ...]
    regions: tuple[DescribedRegion, ...]
    width: int
    height: int
    key: str = ""
    seen: tuple[Seen, ...] = ()
    confidence: float | None = None
    likely: tuple[Seen, ...] = ()

    @property
    def _assessed(self) -> tuple[str, float]:
        return self.caption, SURE

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return {
            "image": self.key,
            "width": self.width,
            "height": self.height,
            "caption": self.caption,
            "score": round(self.score, 4),
            "captions": list(self.captions),
            **_certainty(self),
            "regions": [
                {
                    "text": region.text,
                    "box": [round(x, 2) for x in region.box],
                    "score": round(region.score, 4),
                    "captions": list(region.captions),
                    **_certainty(region),
                }
                for region in self.regions
            ],
            "seen": _rows(self.seen),
        }

    def _detections(self) -> Iterator[detections.Detection]:
        for region in self.regions:
            x1, y1, x2, y2 = region.box
            more = {"text": region.text, "score": region.score, "sure": region.sure}
            yield detections.Detection(region.shown, (x1, y1, x2, y2), region.certainty, more)

    def _frame(self) -> tuple[str, int, int]:
        return self.shown, self.width, self.height

    def __repr__(self) -> str:
        return f"Description({self.shown!r}, {len(self.regions)} regions, score {self.score:.3f}, key={self.key!r})"

    def _repr_html_(self) -> str:
        boxes = ((i, tuple(region.box)) for i, region in enumerate(self.regions))
        told = ((region.shown, f"{region.certainty:.2f}") for region in self.regions)
        drawn = notebook.picture(self.key, self.width, self.height, boxes)
        return notebook.block(self.shown, drawn, notebook.legend(told))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Description:
        """What `to_json` wrote."""
        regions = tuple(
            DescribedRegion(
                r["text"], Box(*r["box"]), r["score"], tuple(r["captions"]), r.get("confidence"), _seen(r, "likely")
            )
            for r in values["regions"]
        )
        size = values["width"], values["height"]
        return cls(
            values["caption"], values["score"], tuple(values["captions"]), regions, *size, values["image"],
            _seen(values, "seen"), values.get("confidence"), _seen(values, "likely"),
        )  # fmt: skip


def _certainty(told: _Assessed) -> dict[str, Any]:
    confidence = None if told.confidence is None else round(told.confidence, 4)
    return {"confidence": confidence, "sure": told.sure, "shown": told.shown, "likely": _rows(told.likely)}


def _rows(seen: Sequence[Seen]) -> list[dict[str, Any]]:
    return [{"name": s.name, "share": round(s.share, 4), "known": s.known} for s in seen]


def _seen(values: Mapping[str, Any], name: str) -> tuple[Seen, ...]:
    return tuple(Seen(**s) for s in values.get(name, ()))  # 0.1 wrote none


def telling(regions: Regions, phrases: Sequence[str], scores: np.ndarray, count: int) -> list[int]:
    """The regions most worth a phrase: sure of it, apart from one another, and each with something new to say.

    Parameters
    ----------
    phrases : sequence of str
        One a region.
    scores : (R,)
        How sure the captioner is of each.
    count : int
        Regions wanted at most.

    Returns
    -------
    list of int
        Never the whole image, and never a phrase of function words alone; possibly none.
    """
    chosen: list[int] = []
    said: list[set[str]] = []
    for place in np.argsort(-scores, kind="stable"):
        i = int(place)
        content = {word.text.lower() for word in words(phrases[i]) if is_content(word.text)}
        if len(chosen) == count:
            break
        if not content or covers_image(regions.box(i), regions.width, regions.height):
            continue
        if chosen and iou(regions.boxes[i], regions.boxes[chosen]).max() > _OVERLAP:
            continue
        if any(len(content & before) > _COMMON * min(len(content), len(before)) for before in said):
            continue
        chosen.append(i)
        said.append(content)
    return chosen

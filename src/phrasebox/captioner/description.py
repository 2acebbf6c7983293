"""What is said about one image, and which of its regions are worth a phrase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phrasebox.boxes import covers_image, iou
from phrasebox.captioner.seen import Seen
from phrasebox.io import detections, notebook
from phrasebox.text.english import is_content
from phrasebox.text.words import words
from phrasebox.types import Box, Regions

_OVERLAP = 0.4  # IoU above which two regions show the same thing
_COMMON = 0.5  # share of content words above which two phrases say the same thing


@dataclass(frozen=True, slots=True)
class DescribedRegion:
    """A region and its phrase.

    Attributes
    ----------
    score : float
        Probability of the phrase for a region, as the geometric mean over its words, in [0, 1].
    captions : tuple of str
        All phrases that were asked for, the first is ``text``.
    """

    text: str
    box: Box
    score: float
    captions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Description(detections.Detected):
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
        What the backbone's classifier sees, from the likeliest; empty without a classifier that has names.
    """

    caption: str
    score: float
    captions: tuple[str, ...]
    regions: tuple[DescribedRegion, ...]
    width: int
    height: int
    key: str = ""
    seen: tuple[Seen, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return {
            "image": self.key,
            "width": self.width,
            "height": self.height,
            "caption": self.caption,
            "score": round(self.score, 4),
            "captions": list(self.captions),
            "regions": [
                {
                    "text": region.text,
                    "box": [round(x, 2) for x in region.box],
                    "score": round(region.score, 4),
                    "captions": list(region.captions),
                }
                for region in self.regions
            ],
            "seen": [{"name": s.name, "share": round(s.share, 4), "known": s.known} for s in self.seen],
        }

    def _detections(self) -> Iterator[detections.Detection]:
        for region in self.regions:
            x1, y1, x2, y2 = region.box
            yield detections.Detection(region.text, (x1, y1, x2, y2), region.score, {})

    def _frame(self) -> tuple[str, int, int]:
        return self.caption, self.width, self.height

    def __repr__(self) -> str:
        return f"Description({self.caption!r}, {len(self.regions)} regions, score {self.score:.3f}, key={self.key!r})"

    def _repr_html_(self) -> str:
        boxes = ((i, tuple(region.box)) for i, region in enumerate(self.regions))
        told = ((region.text, f"{region.score:.2f}") for region in self.regions)
        drawn = notebook.picture(self.key, self.width, self.height, boxes)
        return notebook.block(self.caption, drawn, notebook.legend(told))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Description:
        """What `to_json` wrote."""
        regions = tuple(
            DescribedRegion(r["text"], Box(*r["box"]), r["score"], tuple(r["captions"])) for r in values["regions"]
        )
        size = values["width"], values["height"]
        seen = tuple(Seen(**s) for s in values.get("seen", ()))  # 0.1 wrote none
        return cls(values["caption"], values["score"], tuple(values["captions"]), regions, *size, values["image"], seen)


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

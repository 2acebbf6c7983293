"""What a captioner learns to write: views (whole images and boxes in them) and the padded words of their sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from phrasebox.text.vocabulary import END, START, UNKNOWN
from phrasebox.training.region_batch import RegionBatch

_INSIDE = 0.6  # fraction of a region's area that must lie in the described box for attention to read it
IGNORED = -1
"""Target of padding and of words outside the vocabulary, which have no loss."""

_LEAST_SIDE = 1e-3  # smallest side of a box, relative to the image, that others are measured in


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """N described boxes in B images; the whole image is region 0.

    Attributes
    ----------
    regions : RegionBatch
        Regions of the B images.
    image : (N,) int64
        Image of each view.
    focus : (N,) int64
        Index of the region that is described.
    """

    regions: RegionBatch
    image: Tensor
    focus: Tensor

    def __len__(self) -> int:
        return len(self.image)

    @classmethod
    def whole(cls, regions: RegionBatch) -> Views:
        """One view an image, of the whole image."""
        count = len(regions.vectors)
        return cls(regions, torch.arange(count), torch.zeros(count, dtype=torch.int64))

    def rows(self, part: slice) -> Views:
        """Some of the views, with the images that they refer to alone."""
        images, image = self.image[part].unique(return_inverse=True)
        return Views(self.regions[images], image, self.focus[part])

    def to(self, device: str | torch.device) -> Views:
        """Move the views to a device, their vectors in single precision."""
        r = self.regions
        mask = None if r.mask is None else r.mask.to(device)
        moved = RegionBatch(r.vectors.to(device).float(), r.geometry.to(device), mask)
        return Views(moved, self.image.to(device), self.focus.to(device))

    def inside(self) -> Tensor:
        """Which regions of its image are mostly inside each view's box, or are the box itself: (N, R) bool."""
        boxes = self.regions.geometry[self.image]  # (N, R, 5)
        box = self.frame()[:, None]  # (N, 1, 5)
        low = torch.maximum(boxes[..., :2], box[..., :2])
        high = torch.minimum(boxes[..., 2:4], box[..., 2:4])
        shared = (high - low).clamp(min=0).prod(-1)  # (N, R)
        inside = shared >= _INSIDE * boxes[..., 4]
        inside[torch.arange(len(self)), self.focus] = True
        return inside

    def frame(self) -> Tensor:
        """The box of each view relative to its image (N, 5): (x1, y1, x2, y2, area) as fractions."""
        return self.regions.geometry[self.image, self.focus]

    def places(self) -> tuple[Tensor, Tensor]:
        """The regions relative to the view's box (N, R, 5), and the box relative to its image (N, 5).

        Both are (x1, y1, x2, y2, area) as fractions.
        """
        boxes, box = self.regions.geometry[self.image], self.frame()
        origin, size = box[:, :2], (box[:, 2:4] - box[:, :2]).clamp(min=_LEAST_SIDE)
        corners = (boxes[..., :4] - origin.repeat(1, 2)[:, None]) / size.repeat(1, 2)[:, None]
        corners = corners.clamp(-1, 2)
        area = (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])
        return torch.cat([corners, area[..., None]], -1), box


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """Sentences to learn, padded to the same length T.

    Attributes
    ----------
    inputs : (N, T) int64
        START and the words.
    targets : (N, T) int64
        The words and END; `IGNORED` for what is not to be predicted.
    lengths : (N,) int64
        Number of inputs of each sentence.
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor

    def to(self, device: str) -> Spoken:
        """Move the tensors to a device."""
        return Spoken(self.inputs.to(device), self.targets.to(device), self.lengths.to(device))


def pad(sentences: Sequence[np.ndarray], longest: int) -> Spoken:
    """Add START and END and pad; a sentence of more than ``longest`` words is cut and has no END."""
    most = min(longest, max(map(len, sentences))) + 1
    inputs = np.full((len(sentences), most), END, np.int64)
    targets = np.full((len(sentences), most), IGNORED, np.int64)
    for row, words in enumerate(sentences):
        kept = words[:longest]
        inputs[row, 0] = START
        inputs[row, 1 : len(kept) + 1] = kept
        targets[row, : len(kept)] = kept
        if len(kept) == len(words):
            targets[row, len(kept)] = END
    targets[targets == UNKNOWN] = IGNORED
    lengths = torch.tensor([min(longest, len(words)) + 1 for words in sentences])
    return Spoken(torch.from_numpy(inputs), torch.from_numpy(targets), lengths)


def count_targets(sentences: Sequence[np.ndarray], longest: int) -> np.ndarray:
    """Number of target words (N,) int64 that `pad` gives each sentence, END included."""
    known = [np.count_nonzero(words[:longest] != UNKNOWN) + (len(words) <= longest) for words in sentences]
    return np.array(known, np.int64)

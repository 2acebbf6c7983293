"""What is to be described: whole images and boxes of them, as rows into a batch of regions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from phrasebox.training.region_batch import RegionBatch

_INSIDE = 0.6  # share of a region that must lie in the box for it to be looked at when the box is described
_LEAST_SIDE = 1e-3  # of a box, as a share of the frame, when others are measured in it


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """N boxes of B images; the whole image is the box of row 0.

    Attributes
    ----------
    regions : RegionBatch
        Of the B images.
    image : (N,) int64
        Image of every view.
    focus : (N,) int64
        Which of its regions is described.
    """

    regions: RegionBatch
    image: Tensor
    focus: Tensor

    def __len__(self) -> int:
        return len(self.image)

    @classmethod
    def whole(cls, regions: RegionBatch) -> Views:
        """The whole of every image."""
        count = len(regions.vectors)
        return cls(regions, torch.arange(count), torch.zeros(count, dtype=torch.int64))

    def rows(self, part: slice) -> Views:
        """Some of the views, with no more images than they need."""
        images, image = self.image[part].unique(return_inverse=True)
        return Views(self.regions[images], image, self.focus[part])

    def to(self, device: str | torch.device) -> Views:
        """The same views elsewhere, their vectors in single precision."""
        r = self.regions
        mask = None if r.mask is None else r.mask.to(device)
        moved = RegionBatch(r.vectors.to(device).float(), r.geometry.to(device), mask)
        return Views(moved, self.image.to(device), self.focus.to(device))

    def visible(self) -> Tensor:
        """Which regions belong to each view (N, R): those that lie in its box for the most part, itself always."""
        boxes = self.regions.geometry[self.image]  # (N, R, 5)
        box = self.frame()[:, None]  # (N, 1, 5)
        low = torch.maximum(boxes[..., :2], box[..., :2])
        high = torch.minimum(boxes[..., 2:4], box[..., 2:4])
        shared = (high - low).clamp(min=0).prod(-1)  # (N, R)
        inside = shared >= _INSIDE * boxes[..., 4]
        if self.regions.mask is not None:
            inside &= self.regions.mask[self.image]
        inside[torch.arange(len(self)), self.focus] = True
        return inside

    def frame(self) -> Tensor:
        """Where the box of each view stands in its image (N, 5): (x1, y1, x2, y2, area) as shares."""
        return self.regions.geometry[self.image, self.focus]

    def places(self) -> tuple[Tensor, Tensor]:
        """Where the regions stand in the view's box (N, R, 5), and where the box stands in its image (N, 5).

        Both are (x1, y1, x2, y2, area) as shares.
        """
        boxes, box = self.regions.geometry[self.image], self.frame()
        origin, size = box[:, :2], (box[:, 2:4] - box[:, :2]).clamp(min=_LEAST_SIDE)
        corners = (boxes[..., :4] - origin.repeat(1, 2)[:, None]) / size.repeat(1, 2)[:, None]
        corners = corners.clamp(-1, 2)
        area = (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])
        return torch.cat([corners, area[..., None]], -1), box

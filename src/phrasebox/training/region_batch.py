"""Regions of several images as padded tensors, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from phrasebox.errors import DataError
from phrasebox.types import Regions


@dataclass(frozen=True, slots=True, eq=False)
class RegionBatch:
    """Regions of B images, padded to the same number R.

    Attributes
    ----------
    vectors : (B, R, D) float32 or float16
    geometry : (B, R, 5) float32
    mask : (B, R) bool or None
        False for padding; None where every image has R regions.
    maps : tuple of (B, C, h, w) float16
        For each network, the map that its last blocks start from, where those are trained; see
        `phrasebox.aligner.finetuned`.
    """

    vectors: Tensor
    geometry: Tensor
    mask: Tensor | None
    maps: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, rows: Tensor) -> RegionBatch:
        mask = None if self.mask is None else self.mask[rows]
        return RegionBatch(self.vectors[rows], self.geometry[rows], mask, tuple(each[rows] for each in self.maps))

    def some(self, columns: Tensor) -> RegionBatch:
        """The same images with some of their regions alone."""
        mask = None if self.mask is None else self.mask[:, columns]
        return replace(self, vectors=self.vectors[:, columns], geometry=self.geometry[:, columns], mask=mask)

    @property
    def count(self) -> int:
        """R."""
        return self.vectors.shape[1]

    @property
    def width(self) -> int:
        """D."""
        return self.vectors.shape[2]


class RegionSource(Protocol):
    """Regions of the N images of a split, wherever they are; a `RegionBatch` has them in memory."""

    def __len__(self) -> int:
        """N."""
        ...

    def __getitem__(self, rows: Tensor) -> RegionBatch:
        """Those of some images, all padded alike."""
        ...

    @property
    def count(self) -> int:
        """R, regions to which every image is padded."""
        ...

    @property
    def width(self) -> int:
        """D, length of a vector."""
        ...


def collate(regions: Sequence[Regions], count: int = 0) -> RegionBatch:
    """Stack the vectors and boxes of images, padding those with fewer regions to the most of any, or to ``count``.

    Raises
    ------
    DataError
        If there is no image, or one has no vectors, or vectors of another width than the first.
    """
    if not regions:
        raise DataError("no image to collate; give at least one")
    counts = [len(r) for r in regions]
    most = max(count, max(counts))
    widths = {None if r.vectors is None else r.vectors.shape[1] for r in regions}
    if None in widths or len(widths) > 1:
        raise DataError(f"regions need vectors of one width to be aligned, got {sorted(map(str, widths))}")
    vectors = np.zeros((len(regions), most, widths.pop() or 0), np.float16)
    boxes = np.zeros((len(regions), most, 4), np.float32)
    for row, (r, n) in enumerate(zip(regions, counts, strict=True)):
        vectors[row, :n] = r.vectors
        boxes[row, :n] = r.boxes
    sides = torch.tensor([[r.width, r.height] for r in regions], dtype=torch.float32)
    mask = None if min(counts) == most else torch.arange(most)[None] < torch.tensor(counts)[:, None]
    return RegionBatch(torch.from_numpy(vectors), geometry(torch.from_numpy(boxes), sides[:, 0], sides[:, 1]), mask)


def join(parts: list[RegionBatch]) -> RegionBatch:
    """One batch of several, padded to the most regions of any; the list is emptied, so that memory is not doubled."""
    if not parts:
        return RegionBatch(torch.zeros(0, 1, 1), torch.zeros(0, 1, 5), None)
    most, images, dim = max(p.count for p in parts), sum(map(len, parts)), parts[0].width
    even = all(p.mask is None and p.count == most for p in parts)
    mask = torch.zeros(images, most, dtype=torch.bool)
    joined = RegionBatch(torch.zeros(images, most, dim, dtype=torch.float16), torch.zeros(images, most, 5), mask)
    row = images
    while parts:
        p = parts.pop()
        row -= len(p)
        here = slice(row, row + len(p)), slice(0, p.count)
        joined.vectors[here], joined.geometry[here] = p.vectors, p.geometry
        mask[here] = True if p.mask is None else p.mask
    return RegionBatch(joined.vectors, joined.geometry, None) if even else joined


def geometry(boxes: Tensor, width: Tensor, height: Tensor) -> Tensor:
    """(x1, y1, x2, y2, area) of boxes (B, R, 4), as shares of frames of ``width`` and ``height`` (B,): (B, R, 5).

    Examples
    --------
    >>> geometry(torch.tensor([[[0.0, 0.0, 5.0, 10.0]]]), torch.tensor([10]), torch.tensor([20]))
    tensor([[[0.0000, 0.0000, 0.5000, 0.5000, 0.2500]]])
    """
    sides = torch.stack([width, height, width, height], dim=-1)[:, None]  # (B, 1, 4)
    share = boxes / sides
    area = (share[..., 2] - share[..., 0]) * (share[..., 3] - share[..., 1])
    return torch.cat([share, area[..., None]], dim=-1)

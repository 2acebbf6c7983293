"""Network of the learned proposer: maps of a backbone's stages -> boxes with their localisation quality."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phrasebox.regions.detection_ops import nms, roi_align

CELLS = 7  # cells of a box each way that the second stage reads
LARGE = 0.5  # side, as a share of the image's, from which a box is read from the coarser map
_LONGEST = 3.0  # logarithm of the largest change of a side, and of a distance in anchor sides
SMALLEST = 0.01  # share of the image's sides; boxes thinner than this are dropped


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """What the first stage says in each cell of all maps of a batch; boxes are ``xyxy`` shares of the image.

    Attributes
    ----------
    quality : (B, N)
        Logits of the IoU that the cell's box has with a thing.
    boxes : (B, N, 4)
    """

    quality: Tensor
    boxes: Tensor


class ObjectnessNetwork(nn.Module):
    """Class-agnostic two-stage detector that predicts how well boxes fit things, not what they are.

    The first stage is a feature pyramid (Lin et al., 2017) with an anchor-free head: each cell gives one box and its
    quality. The second reads each of the best boxes by RoI-align, gives its quality again and moves its corners
    (Ren et al., 2015). Quality is the IoU with the best true box, as in object localisation networks (Kim et al.,
    2022), so that no thing is background by its class.

    Parameters
    ----------
    levels : sequence of int
        Channels of the backbone's maps, from the finest to the coarsest; two or more.
    width : int
        Channels of the pyramid.
    hidden : int
        Units of the second stage.
    """

    def __init__(self, levels: tuple[int, ...], width: int = 48, hidden: int = 256) -> None:
        super().__init__()
        self.levels, self.width, self.hidden = tuple(levels), width, hidden
        self.scaling = nn.ModuleList(nn.BatchNorm2d(channels) for channels in levels)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in levels)
        self.smooth = nn.ModuleList(_convolution(width) for _ in levels)
        self.tower = _convolution(width)
        self.quality = nn.Conv2d(width, 1, 3, padding=1)
        self.distances = nn.Conv2d(width, 4, 3, padding=1)
        self.sides = nn.Parameter(torch.zeros(len(levels)))  # logarithms of the levels' box sides, from `side`
        self.reader = nn.Sequential(
            nn.Linear(width * CELLS**2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.fit = nn.Linear(hidden, 1)
        self.corners = nn.Linear(hidden, 4)
        for layer in (self.quality, self.distances, self.fit, self.corners):
            for name, value in layer.named_parameters():
                nn.init.normal_(value, std=0.01) if name == "weight" else nn.init.zeros_(value)
        nn.init.constant_(dict(self.quality.named_parameters())["bias"], -math.log(99))  # few cells have a thing

    @property
    def shape(self) -> dict[str, Any]:
        """The arguments it was made with."""
        return {"levels": list(self.levels), "width": self.width, "hidden": self.hidden}

    def pyramid(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps (B, C_i, h_i, w_i) of the stages -> (B, width, h_i, w_i), each with those of coarser ones added."""
        found: list[Tensor] = []
        for scale, lateral, level in zip(reversed(self.scaling), reversed(self.lateral), reversed(maps), strict=True):  # type: ignore[call-overload]
            own = lateral(scale(level))
            found.append(own + F.interpolate(found[-1], size=own.shape[2:]) if found else own)
        return [smooth(level) for smooth, level in zip(self.smooth, reversed(found), strict=True)]

    def dense(self, pyramid: list[Tensor]) -> Dense:
        """The first stage."""
        quality, boxes = [], []
        for number, level in enumerate(pyramid):
            seen = self.tower(level)
            quality.append(self.quality(seen).flatten(1))
            side = side_of(level) / 2 * self.sides[number].exp()
            distances = self.distances(seen).clamp(max=_LONGEST).exp().flatten(2).transpose(1, 2) * side  # (B, hw, 4)
            centres = centres_of(level).repeat(1, 2)  # (hw, 4)
            boxes.append(centres + distances * distances.new_tensor([-1, -1, 1, 1]))
        return Dense(torch.cat(quality, 1), torch.cat(boxes, 1))

    def read(self, pyramid: list[Tensor], boxes: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The second stage: boxes of each image (N_i, 4) -> quality logits (sum N_i,) and moved boxes (sum N_i, 4)."""
        flat = torch.cat(boxes)
        image = torch.repeat_interleave(
            torch.arange(len(boxes), device=flat.device), torch.tensor([len(own) for own in boxes], device=flat.device)
        )
        rois = torch.cat([image[:, None].to(flat), flat], 1)  # (n, 5)
        large = (flat[:, 2:] - flat[:, :2]).clamp(min=0).prod(1).sqrt() >= LARGE
        cells = flat.new_zeros(len(flat), pyramid[0].shape[1], CELLS, CELLS)
        for level, own in ((pyramid[0], ~large), (pyramid[1], large)):
            cells[own] = roi_align(level, rois[own], CELLS, samples=2)
        seen = self.reader(cells.flatten(1))
        return self.fit(seen)[:, 0], moved(flat, self.corners(seen))

    @torch.inference_mode()
    def propose(
        self, maps: list[Tensor], dense: int = 200, kept: int = 100, overlap: float = 0.8
    ) -> list[tuple[Tensor, Tensor]]:
        """Boxes (N, 4), ``xyxy`` shares, and quality (N,) in [0, 1] of each image; the first box is the whole image.

        Quality is the geometric mean of what the second stage gives a box before and after its last move; of the whole
        image, which is read once, that.

        Parameters
        ----------
        maps : list of (B, C_i, h_i, w_i)
            Maps of the backbone's stages.
        dense, kept : int
            Boxes of an image that the second stage reads, and that are moved and read once more.
        overlap : float
            Largest IoU of two boxes that are read.
        """
        pyramid = self.pyramid(maps)
        first = self.dense(pyramid)
        boxes = [
            own[_apart(own, quality, dense, overlap)] for own, quality in zip(first.boxes, first.quality, strict=True)
        ]
        moved_once, before = self._read_again(pyramid, boxes)
        rows = [_apart(own, quality, kept, overlap) for own, quality in zip(moved_once, before, strict=True)]
        boxes = [torch.cat([_whole(own), own[best]]) for own, best in zip(moved_once, rows, strict=True)]
        found = []
        for own, after, earlier, best in zip(*self._read_again(pyramid, boxes), before, rows, strict=True):
            quality = after.sigmoid()
            quality[1:] = (quality[1:] * earlier[best].sigmoid()).sqrt()
            own[0] = _whole(own)[0]
            wide = _wide(own)
            found.append((own[wide], quality[wide]))
        return found

    def _read_again(self, pyramid: list[Tensor], boxes: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """`read`, with the moved boxes clipped to the image, and boxes and quality of each image apart."""
        quality, flat = self.read(pyramid, [inside(own) for own in boxes])
        counts = [len(own) for own in boxes]
        return list(inside(flat).split(counts)), list(quality.split(counts))


def _apart(boxes: Tensor, quality: Tensor, count: int, overlap: float) -> Tensor:
    """Rows of the best ``count`` boxes that are wide enough and of which no two have a larger IoU than ``overlap``."""
    best = quality.topk(min(len(quality), 4 * count)).indices
    best = best[_wide(inside(boxes[best]))]
    return best[nms(inside(boxes[best]), quality[best], overlap)[:count]]


def _wide(boxes: Tensor) -> Tensor:
    """Which boxes are not thinner than `SMALLEST`."""
    return (boxes[:, 2:] - boxes[:, :2]).amin(1) >= SMALLEST


def _whole(boxes: Tensor) -> Tensor:
    """The whole image, (1, 4), as a tensor like ``boxes``."""
    return boxes.new_tensor([[0.0, 0.0, 1.0, 1.0]])


def side_of(level: Tensor) -> float:
    """Side of the boxes that a map looks for, as a share of the image's: 8 of its cells."""
    return 8 / level.shape[-1]


def centres_of(level: Tensor) -> Tensor:
    """Centres (h*w, 2) of a map's cells as shares of the image."""
    height, width = level.shape[2:]
    y, x = torch.meshgrid(
        (torch.arange(height, device=level.device) + 0.5) / height,
        (torch.arange(width, device=level.device) + 0.5) / width,
        indexing="ij",
    )
    return torch.stack([x, y], -1).view(-1, 2)


def moved(boxes: Tensor, change: Tensor) -> Tensor:
    """Boxes (N, 4) whose centre moves by (N, :2) of their sides and whose sides grow by the exponent of (N, 2:)."""
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=SMALLEST / 10)
    centres = (boxes[:, 2:] + boxes[:, :2]) / 2 + change[:, :2] * sides
    half = sides * change[:, 2:].clamp(-_LONGEST, _LONGEST).exp() / 2
    return torch.cat([centres - half, centres + half], 1)


def inside(boxes: Tensor) -> Tensor:
    """Boxes clipped to the image."""
    return boxes.clamp(0, 1)


def _convolution(width: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.GroupNorm(8, width), nn.ReLU())

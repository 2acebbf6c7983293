"""RoI-align as one matrix product: a feature map and boxes -> one vector a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from phrasebox.errors import DataError
from phrasebox.io.arguments import a_list, checked

if TYPE_CHECKING:
    from torch import Tensor

SAMPLES = 2  # points of the map that RoI-align reads in every bin, each way


def pool(maps: Tensor | Sequence[Tensor], boxes: Sequence[np.ndarray], bins: int = 3) -> list[Tensor]:
    """RoI-align every box on its image's map and average its bins.

    Bilinear sampling and averaging are linear and separate into rows and columns, so the vector of a box is one
    weighted sum over the cells of the map. All boxes of an image are one matrix product; the result is that of
    ``torchvision.ops.roi_align(aligned=True, sampling_ratio=2)`` followed by a mean.

    Parameters
    ----------
    maps : (B, D, h, w) Tensor, or B of (D, h, w)
        Last maps of the network.
    boxes : B arrays (N_i, 4)
        ``xyxy`` as shares of the image, in [0, 1].
    bins : int
        Cells of a box each way.

    Returns
    -------
    list of (N_i, D) Tensor
        One vector a box, on the maps' device.

    Examples
    --------
    >>> import torch
    >>> left_to_right = torch.tensor([[[[0.0, 1.0, 2.0, 3.0]] * 4]])
    >>> pool(left_to_right, [np.array([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]])], bins=1)
    [tensor([[0.5000],
            [2.5000]])]
    """
    a_list(maps, "maps", "Tensors (D, h, w)")
    if len(a_list(boxes, "boxes", "arrays (N, 4), one a map")) != len(maps):
        raise DataError(f"there are {len(maps)} maps and {len(boxes)} arrays of boxes; give one array (N, 4) a map")
    return [_pooled(*pair, bins) for pair in zip(maps, boxes, strict=True)]


@checked(image_map="Tensor (D, h, w)", boxes="(N, 4)", bins=int)
def _pooled(image_map: Tensor, boxes: np.ndarray, bins: int) -> Tensor:
    dim, height, width = image_map.shape
    weights = cell_weights(boxes, bins, height, width).to(image_map)  # (N, h*w)
    return weights @ image_map.permute(1, 2, 0).reshape(height * width, dim)  # (N, D)


def pool_regions(maps: Tensor | Sequence[Tensor], boxes: Sequence[np.ndarray], bins: int = 3) -> list[Tensor]:
    """`pool` of boxes whose first is the whole image: its vector is the mean of the map."""
    pooled = pool(maps, boxes, bins)
    means = [one.mean((1, 2)) for one in maps] if isinstance(maps, Sequence) else maps.mean((2, 3))
    for vectors, mean in zip(pooled, means, strict=True):
        vectors[0] = mean
    return pooled


def cell_weights(shares: np.ndarray, bins: int, height: int, width: int) -> Tensor:
    """Weights (N, height * width) of a map's cells in the vector of every box (N, 4), ``xyxy`` as shares."""
    import torch

    corners = torch.as_tensor(shares, dtype=torch.float32).reshape(-1, 4)
    across = _axis_weights(corners[:, 0], corners[:, 2], bins * SAMPLES, width)  # (N, w)
    down = _axis_weights(corners[:, 1], corners[:, 3], bins * SAMPLES, height)  # (N, h)
    return (down[:, :, None] * across[:, None, :]).flatten(1)


def _axis_weights(low: Tensor, high: Tensor, samples: int, cells: int) -> Tensor:
    """Weights (N, cells) of an axis's cells in the mean of ``samples`` points between ``low`` and ``high``."""
    import torch

    steps = (torch.arange(samples, dtype=low.dtype, device=low.device) + 0.5) / samples
    # A cell's value sits at its centre, half a cell from its edge; beyond the outer centres the edge cell counts.
    points = ((low[:, None] + (high - low)[:, None] * steps) * cells - 0.5).clamp(0, cells - 1)  # (N, samples)
    distance = (points[:, :, None] - torch.arange(cells, dtype=low.dtype, device=low.device)).abs()
    return (1 - distance).clamp(min=0).mean(dim=1)

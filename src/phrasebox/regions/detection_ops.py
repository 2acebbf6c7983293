"""torchvision's compiled operations without its models, whose import takes seconds of every command."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import torch


@cache
def operations() -> Any:
    """``torch.ops.torchvision``, with ``nms`` and ``roi_align``.

    Its library is loaded as torchvision itself loads it; where that fails, torchvision is imported. Gradients need
    torchvision imported.
    """
    spec = importlib.util.find_spec("torchvision")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    for library in (*folder.glob("_C*.so"), *folder.glob("_C*.pyd")):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            continue
        if hasattr(torch.ops.torchvision, "nms") and hasattr(torch.ops.torchvision, "roi_align"):
            return torch.ops.torchvision
    import torchvision  # noqa: F401

    return torch.ops.torchvision


def nms(boxes: torch.Tensor, scores: torch.Tensor, overlap: float) -> torch.Tensor:
    """Rows of boxes (N, 4) that greedy non-maximum suppression keeps, from the best to the worst: (K,) int64."""
    return operations().nms(boxes, scores, overlap)


def roi_align(level: torch.Tensor, rois: torch.Tensor, bins: int, samples: int) -> torch.Tensor:
    """RoI-align of maps: (B, C, h, w) and (N, 5) of image and ``xyxy`` shares of it -> (N, C, bins, bins).

    As ``torchvision.ops.roi_align`` with ``aligned=True``, for square maps.
    """
    return operations().roi_align(level, rois, level.shape[-1], bins, bins, samples, True)

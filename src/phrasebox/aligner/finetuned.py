"""An aligner that learns with the last blocks of the networks its regions come from (theta_c; PAPER: section 2).

The networks up to there do not change, so their maps are made once and kept; a step runs the last blocks on the maps,
pools the regions from what they give, and goes back through all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from phrasebox.aligner.model import AlignerModel
from phrasebox.aligner.settings import ModelSettings
from phrasebox.regions.backbones.tail import Tail
from phrasebox.regions.roi_align import pool_regions
from phrasebox.training.region_batch import RegionBatch, RegionSource


class TunedAligner(AlignerModel):
    """Reads maps instead of region vectors; ``tails`` are the last blocks of each network."""

    def __init__(self, settings: ModelSettings, tails: Sequence[Tail], bins: int, dropout: float = 0.0) -> None:
        super().__init__(settings, dropout)
        self.tails = nn.ModuleList(tails)
        self.bins = bins

    def embed_images(self, batch: RegionBatch) -> tuple[Tensor, Tensor | None]:
        """As `AlignerModel.embed_images`, of a batch with maps."""
        device = self.log_temperature.device
        shares = batch.geometry[..., :4]
        parts = [
            pooled(tail(maps.to(device).float()), shares, self.bins)
            for tail, maps in zip(self.tails, batch.maps, strict=True)
        ]
        return super().embed_images(replace(batch, vectors=torch.cat(parts, dim=-1), maps=()))

    def aligner(self) -> AlignerModel:
        """The aligner alone, which reads the vectors that the trained networks give."""
        alone = AlignerModel(self.settings)
        alone.load_state_dict({k: v for k, v in self.state_dict().items() if not k.startswith("tails.")})
        return alone.eval()


def pooled(maps: Tensor, shares: Tensor, bins: int) -> Tensor:
    """Region vectors (B, R, D) of maps (B, D, h, w) and boxes (B, R, 4), shares of their image, the whole one first."""
    return torch.stack(pool_regions(maps, list(shares.cpu().numpy()), bins))


class MappedRegions:
    """Regions of images with the maps of each network beside them: a `RegionSource`.

    Parameters
    ----------
    regions : RegionSource
        Of N images.
    maps : sequence of (N, C, h, w) float16 arrays
        Maps of each network, in memory or in a file.
    """

    def __init__(self, regions: RegionSource, maps: Sequence[np.ndarray]) -> None:
        self._regions, self._maps = regions, maps
        self.count, self.width = regions.count, regions.width

    def __len__(self) -> int:
        return len(self._regions)

    def __getitem__(self, rows: Tensor) -> RegionBatch:
        maps = tuple(torch.from_numpy(np.ascontiguousarray(each[rows.numpy()])) for each in self._maps)
        return replace(self._regions[rows], maps=maps)

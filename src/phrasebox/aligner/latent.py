"""First vectors of parts of words, from the images whose captions have them.

Latent semantic analysis (Deerwester et al., 1990) of a table of parts by images: the captions of an image say the same
in other words, so that parts with one meaning begin with similar vectors. Nothing but the captions is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from phrasebox.text.encoders.scratch import FIRST

_IMAGES = 30_000  # images whose captions are counted
_OVER, _ITERATIONS = 16, 2  # columns beyond the width, and power iterations, of the randomised decomposition


def latent_vectors(sentences: Sequence[np.ndarray], owner: np.ndarray, rows: int, width: int) -> Tensor:
    """Vectors (rows, width) of mean square 1, zeros for a part that no caption has; random numbers are torch's.

    Parameters
    ----------
    sentences : sequence of (T, K) int32
        Numbers of the parts of the words of every caption.
    owner : (L,) int64
        Image of every caption, in ascending order.
    """
    last = int(np.searchsorted(owner, _IMAGES))
    parts = [np.unique(sentences[i]) for i in range(last)]
    images = np.repeat(owner[:last], [len(own) for own in parts])
    places = np.stack([np.concatenate(parts), images]).astype(np.int64)[:, np.concatenate(parts) >= FIRST]
    counts = torch.sparse_coo_tensor(
        torch.from_numpy(places), torch.ones(places.shape[1]), (rows, int(owner[last - 1]) + 1), check_invariants=False
    ).coalesce()
    index, values = counts.indices(), counts.values()
    of_part = torch.zeros(rows).index_add(0, index[0], values)
    of_image = torch.zeros(counts.shape[1]).index_add(0, index[1], values)
    # Positive pointwise mutual information: how much more often than by chance an image's captions have a part.
    weight = (values * values.sum() / (of_part[index[0]] * of_image[index[1]])).log().clamp(min=0)
    table = torch.sparse_coo_tensor(index, weight, counts.shape, check_invariants=False)
    rank = min(width + _OVER, *table.shape)
    u, s, _ = torch.svd_lowrank(table, rank, niter=_ITERATIONS)
    found = torch.zeros(rows, width)
    kept = min(width, rank)
    found[:, :kept] = u[:, :kept] * s[:kept].sqrt()
    return torch.nn.functional.normalize(found, dim=1) * width**0.5

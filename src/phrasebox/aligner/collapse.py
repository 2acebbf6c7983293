"""Noticing a model that has stopped telling its inputs apart, and saying what to do."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from phrasebox.aligner.data import Pairs, pack
from phrasebox.aligner.model import AlignerModel

# Length of the mean of unit vectors above which they all point one way.
_ONE_DIRECTION = 0.98
# Share of vectors that are zero: words that describe nothing may be, behind a ReLU, and half of all are such.
_SILENT = 0.9


@torch.inference_mode()
def collapse(model: AlignerModel, pairs: Pairs, images: int = 64) -> str:
    """What is wrong with the vectors of a sample of images and their sentences, and the remedy; blank if nothing.

    Three signs: vectors that are no longer finite, vectors that are all zero (dead ReLUs), and vectors of
    different regions or words that all point in one direction, so that every pair scores alike.
    """
    rows = torch.arange(min(images, len(pairs)))
    v, mask = model.embed_images(pairs.regions[rows])
    v = v[mask] if mask is not None else v.flatten(0, 1)
    s, _ = model.embed_sentences(pack(pairs.sentences[: int(np.searchsorted(pairs.owner, len(rows)))]))
    for name, vectors in (("regions", v), ("words", s)):
        if sign := _sign(vectors):
            return f"the model collapsed: the vectors of {name} {sign}"
    return ""


def _sign(vectors: Tensor) -> str:
    if not torch.isfinite(vectors).all():
        return "are no longer finite numbers; use a smaller learning rate (--lr)"
    if float((vectors.abs().amax(1) == 0).float().mean()) > _SILENT:
        return "are nearly all zero; use a smaller learning rate (--lr), or another encoder than brnn"
    if len(vectors) > 1 and float(F.normalize(vectors, dim=1).mean(0).norm()) > _ONE_DIRECTION:
        return "all point one way; use --objective infonce or margin-sum, a smaller --lr, or a larger --batch"
    return ""

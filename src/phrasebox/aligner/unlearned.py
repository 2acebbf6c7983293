"""A network that has learned nothing: all its scores are 0, so that a prior alone decides."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from phrasebox.aligner.model import AlignerModel
from phrasebox.aligner.priors.base import UNITS
from phrasebox.aligner.settings import ModelSettings

BETA = 0.01
"""Chain strength for the scores of a prior alone."""


def unlearned(widths: Sequence[int], prior_from: str = "") -> AlignerModel:
    """A network for region vectors with parts of these widths; ``prior_from`` as of `ModelSettings`."""
    parts = tuple(widths) if len(widths) > 1 else ()
    model = AlignerModel(
        ModelSettings(
            vector_dim=sum(widths), parts=parts, dim=len(widths), hidden=1, geometry=False, prior_from=prior_from
        )
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.log_temperature.fill_(math.log(UNITS))
    return model

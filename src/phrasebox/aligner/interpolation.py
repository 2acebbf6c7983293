"""Weights between those of a start model and those of the model that was trained from it.

What lies between knows most of what the start knew and most of what the training taught (WiSE-FT; Wortsman et al.,
*Robust fine-tuning of zero-shot models*, CVPR 2022). With few images it is often better than either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from phrasebox.aligner.data import Pairs
from phrasebox.aligner.model import AlignerModel
from phrasebox.aligner.train import AlignEpoch, recalls

BETWEEN = (0.25, 0.5, 0.75)
"""Shares of the trained weights that are tried beside 0, the start model, and 1, the trained one."""
USUAL = 0.5
"""Share of the trained weights where there is nothing to validate on."""


@dataclass(frozen=True, slots=True)
class Blend:
    """A model between a start and a trained one.

    Attributes
    ----------
    model : AlignerModel
        In evaluation mode.
    share : float
        Share of the trained weights, from 0 to 1.
    epoch : AlignEpoch
        The start's record if the share is 0, else that of the trained model with the recall of this one.
    """

    model: AlignerModel
    share: float
    epoch: AlignEpoch


@torch.no_grad()
def interpolated(start: AlignerModel, end: AlignerModel, share: float) -> AlignerModel:
    """A model with the weights (1 - share) * start + share * end, on the device of ``end``, in evaluation mode."""
    model = AlignerModel(end.settings)
    theirs = start.state_dict()
    state = {name: theirs[name].to(value.device).lerp(value, share) for name, value in end.state_dict().items()}
    model.load_state_dict(state, assign=True)
    return model.eval()


def best_between(
    start: AlignerModel, first: AlignEpoch, end: AlignerModel, last: AlignEpoch, validation: Pairs
) -> Blend:
    """The model with the best mean recall on the validation split; of equal ones that nearest the start.

    Parameters
    ----------
    first, last : AlignEpoch
        Records of ``start`` and ``end``, with their recall on the validation split.
    """

    def tried() -> Iterator[Blend]:
        yield Blend(start, 0.0, first)
        for share in BETWEEN:
            model = interpolated(start, end, share)
            forth, back = recalls(model, validation)
            yield Blend(model, share, replace(last, image_to_sentence=forth, sentence_to_image=back))
        yield Blend(end, 1.0, last)

    return max(tried(), key=lambda blend: blend.epoch.score)

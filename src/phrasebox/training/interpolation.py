"""Weights between those of a start model and those of the model that was trained from it.

What lies between knows most of what the start knew and most of what the training taught (WiSE-FT; Wortsman et al.,
*Robust fine-tuning of zero-shot models*, CVPR 2022). With few images it is often better than either.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import nn

from phrasebox.training.loop import Epoch

BETWEEN = (0.25, 0.5, 0.75)
"""Shares of the trained weights that are tried beside 0, the start model, and 1, the trained one."""
USUAL = 0.5
"""Share of the trained weights where there is nothing to validate on."""

M = TypeVar("M", bound=nn.Module)
E_ = TypeVar("E_", bound=Epoch)


@dataclass(frozen=True, slots=True, eq=False)
class Blend(Generic[M, E_]):
    """A model between a start and a trained one.

    Attributes
    ----------
    model : Module
        In evaluation mode.
    share : float
        Share of the trained weights, from 0 to 1.
    epoch : Epoch
        Its record: the start's if the share is 0, else the trained one's with the validation figures of this model.
    """

    model: M
    share: float
    epoch: E_


@torch.no_grad()
def interpolated(start: M, end: M, share: float) -> M:
    """A copy of ``end`` with the weights (1 - share) * start + share * end, in evaluation mode."""
    model, theirs = deepcopy(end), start.state_dict()
    state = {name: theirs[name].to(value.device).lerp(value, share) for name, value in end.state_dict().items()}
    model.load_state_dict(state, assign=True)
    return model.eval()


def best_between(
    start: Blend[M, E_],
    end: Blend[M, E_],
    measured: Callable[[M], E_] | None,
    told: Callable[[str], object] = lambda line: None,
) -> Blend[M, E_]:
    """The model with the best score on the validation split; of equal ones that nearest the start.

    Parameters
    ----------
    start, end : Blend
        Of shares 0 and 1.
    measured : callable or None
        Gives the record of a model between them; None without a validation split, where the share is `USUAL`.
    told : callable
        Is given a line that says what is kept.
    """
    if measured is None:
        told(f"kept: {USUAL:g} of the trained weights and {1 - USUAL:g} of the start's, as there is no val split")
        return Blend(interpolated(start.model, end.model, USUAL), USUAL, end.epoch)
    tried = [start]
    for share in BETWEEN:
        model = interpolated(start.model, end.model, share)
        tried.append(Blend(model, share, measured(model)))
    kept = max([*tried, end], key=lambda blend: blend.epoch.score)
    weights = f"{kept.share:g} of the trained weights, {1 - kept.share:g} of the start's"
    what = weights if kept.share else "the start, as nothing better was found on the val split"
    told(f"kept: {what}, {kept.epoch.validation}")
    return kept

"""Dropout whose random numbers do not depend on how a batch is dealt out to processes and parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn
from torch._compile import _disable_dynamo


@dataclass(frozen=True, slots=True)
class Deal:
    """Which rows of a batch are at hand: ``part`` of the ``own`` rows of this process, among ``total``."""

    part: slice
    own: slice
    total: int


class Dropout(nn.Module):
    """As ``torch.nn.Dropout``; while rows are dealt (see `deal`), drawn for the whole batch and used for those at hand.

    Parameters
    ----------
    share : float
        Of numbers that are zeroed.
    of : str
        What the rows of the input are, as `deal` names them.
    """

    def __init__(self, share: float, of: str) -> None:
        super().__init__()
        self.share, self.of = share, of
        self.dealt: Deal | None = None
        self._drawn: list[Tensor] = []  # one mask a call, of this process's own rows
        self._call = 0

    def forward(self, x: Tensor) -> Tensor:
        """(rows, ...) -> the same."""
        if not self.training or not self.share:
            return x
        return self._dropped(x)

    @_disable_dynamo  # compiled code draws other random numbers; torch.compiler.disable would import the compiler now
    def _dropped(self, x: Tensor) -> Tensor:
        if self.dealt is None:
            return F.dropout(x, self.share)
        return x * (self._kept(x, self.dealt).to(x.dtype) / (1 - self.share))

    def _kept(self, x: Tensor, deal: Deal) -> Tensor:
        """Which numbers are kept; drawn the first time, and the same again for a second pass."""
        if self._call == len(self._drawn):
            drawn = F.dropout(x.new_ones(deal.total, *x.shape[1:]), self.share) != 0
            self._drawn.append(drawn[deal.own].clone())
        mask = self._drawn[self._call]
        self._call += 1
        return mask[deal.part.start - deal.own.start : deal.part.stop - deal.own.start]

    def deal(self, dealt: Deal | None, anew: bool) -> None:
        """Set what is at hand; ``anew`` forgets what was drawn."""
        self.dealt, self._call = dealt, 0
        if anew:
            self._drawn.clear()

    def extra_repr(self) -> str:
        """For the model's description."""
        return f"share={self.share}, of={self.of!r}"


def deal(model: nn.Module, dealt: Mapping[str, Deal] | None, anew: bool = False) -> None:
    """Tell all `Dropout` of a model which rows come next; None for whole batches.

    Parts of a batch must agree in all dimensions but the first, and call the model in the same order.

    Parameters
    ----------
    anew : bool
        A new step begins, for which new numbers are drawn.

    Examples
    --------
    >>> model = Dropout(0.5, "images")
    >>> x = torch.ones(4, 3)
    >>> _ = torch.manual_seed(0)
    >>> whole = model(x)
    >>> _ = torch.manual_seed(0)
    >>> halves = []
    >>> for half in (slice(0, 2), slice(2, 4)):
    ...     deal(model, {"images": Deal(half, slice(0, 4), 4)})
    ...     halves.append(model(x[half]))
    >>> torch.equal(torch.cat(halves), whole)
    True
    """
    for module in model.modules():
        if isinstance(module, Dropout):
            module.deal(None if dealt is None else dealt[module.of], anew)

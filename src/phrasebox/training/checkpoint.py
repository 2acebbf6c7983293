"""The state of a training between epochs, in memory and on disk: whole or not there, and only of the same run."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from phrasebox.errors import ModelError
from phrasebox.io.atomic import write_whole
from phrasebox.training import distributed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CHECKPOINT = "checkpoint.pt"
Epoch = TypeVar("Epoch", bound="DataclassInstance")


class TrainingState(Generic[Epoch]):
    """A model in training with its optimiser, running average, best weights and history.

    Parameters
    ----------
    model : Module
        On its device, as it starts.
    optimiser : Optimizer
        Of its parameters.
    identity : str
        All that the training depends on; a checkpoint of another identity is refused.
    epoch : type
        The dataclass whose instances are the history.
    average : float
        Decay of the running average of the weights, which is then what counts; 0 for the weights themselves.
    scaler : GradScaler, optional
        By which losses are scaled before their gradient is taken.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        identity: str,
        epoch: type[Epoch],
        average: float,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        self.model, self.optimiser, self.identity = model, optimiser, identity
        self._epoch, self._decay = epoch, average
        self.scaler = scaler or torch.amp.GradScaler("cpu", enabled=False)
        self.average = _copied(model.state_dict())
        self.kept = _kept(model.state_dict())
        self.history: list[Epoch] = []
        self.best = -1
        self.step = 0

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights that count now."""
        return self.average if self._decay else self.model.state_dict()

    def begin(self) -> None:
        """Forget the gradient of the step before."""
        self.optimiser.zero_grad(set_to_none=True)

    def descend(self, rate: float, clip: float) -> None:
        """One step down the gradient that has come together since `begin`, each of its elements at most ``clip``."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get("share", 1.0)  # parameters that are to move less than the others have one
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_value_(self.model.parameters(), clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.step += 1
        if self._decay:
            # A young average follows closely, so that it does not remember the random start.
            decay = min(self._decay, self.step / (self.step + 9))
            for name, value in self.model.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)

    def add(self, epoch: Epoch, better: bool) -> None:
        """Put an epoch into the history; the weights that count are kept if it is the best so far."""
        if better:
            self.best = len(self.history)
            self.kept = _kept(self.weights)
        self.history.append(epoch)

    def back_to_best(self, optimiser: torch.optim.Optimizer) -> None:
        """Go on from the weights that were kept, with a new optimiser."""
        self.model.load_state_dict(self.kept)
        self.average = _copied(self.model.state_dict())
        self.optimiser = optimiser

    def save(self, path: Path) -> None:
        """Leave everything a later process needs to go on; written beside and renamed, by the first process alone."""
        if not distributed.first():
            return
        state = {
            "identity": self.identity, "model": self.model.state_dict(), "average": self.average, "kept": self.kept,
            "optimiser": self.optimiser.state_dict(), "step": self.step, "best": self.best,
            "history": [asdict(epoch) for epoch in self.history], "scaler": self.scaler.state_dict(),
        }  # fmt: skip
        file = io.BytesIO()
        torch.save(state, file)
        write_whole(path, file.getvalue())

    def restore(self, path: Path, device: str) -> None:
        """Take up what a run of the same identity left.

        Raises
        ------
        ModelError
            If the file is damaged, or of a run with other settings or data.
        """
        try:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
            identity = state["identity"]
        except Exception as error:  # torch raises many kinds for a damaged file
            raise ModelError(f"{path} cannot be read ({error}); delete it to start again") from error
        if identity != self.identity:
            raise ModelError(f"{path} is of a run with other settings or data; start it anew with --fresh")
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.scaler.is_enabled() and state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])
        self.average, self.kept = state["average"], state["kept"]
        self.step, self.best = state["step"], state["best"]
        self.history = [self._epoch(**epoch) for epoch in state["history"]]


def _copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in weights.items()}


def _kept(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in weights.items()}


def cosine_rate(step: int, total: int, warmup: int) -> float:
    """Share of the largest learning rate: a warm-up, then a cosine down to a hundredth.

    Examples
    --------
    >>> [round(cosine_rate(step, 100, 10), 2) for step in (0, 9, 50, 100)]
    [0.1, 0.98, 0.51, 0.01]
    """
    warm = min(1.0, (step + 1) / max(1, warmup))
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total)))))

"""The state of a training between epochs, in memory and as a checkpoint file that only the same run continues from."""

from __future__ import annotations

import io
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from phrasebox.errors import ModelError
from phrasebox.io.atomic import write_whole
from phrasebox.training import distributed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CHECKPOINT = "checkpoint.pt"
Record = TypeVar("Record", bound="DataclassInstance")


class TrainingState(Generic[Record]):
    """A model in training with its optimiser, running average, best weights and history.

    Parameters
    ----------
    model : Module
        On its device, before its first step.
    optimiser : Optimizer
        Optimiser of the model's parameters.
    identity : str
        Everything the training depends on; a checkpoint of another identity is refused.
    record : type
        The dataclass of the history's items.
    decay : float
        Decay of the running average of the weights, which is then what is validated and kept; 0 for the weights
        themselves.
    scaler : GradScaler
        By which losses are scaled before their gradient is taken.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        identity: str,
        record: type[Record],
        decay: float,
        scaler: torch.amp.GradScaler,
    ) -> None:
        self.model, self.optimiser, self.identity, self.scaler = model, optimiser, identity, scaler
        self._record, self._decay = record, decay
        self._average = AveragedModel(model, avg_fn=self._averaged)
        self._average.update_parameters(model)  # the first update copies
        self.history: list[Record] = []
        self.best = -1
        self.step = 0
        self.keep()

    def _averaged(self, average: Tensor, value: Tensor, updates: Tensor | int) -> Tensor:
        # A short decay at first, so that the random initial weights are forgotten.
        decay = min(self._decay, self.step / (self.step + 9))
        return average.lerp(value, 1 - decay)

    @property
    def watched(self) -> nn.Module:
        """A copy of the model for validation: the running average, or the present weights if nothing is averaged."""
        if not self._decay:
            self._average.module.load_state_dict(self.model.state_dict())
        return self._average.module.eval()

    def zero_grad(self) -> None:
        """Clear the gradient."""
        self.optimiser.zero_grad(set_to_none=True)

    def descend(self, rate: float, clip: float) -> None:
        """One optimiser step, each element of the gradient clipped to ``clip``."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get("share", 1.0)  # parameter groups with a smaller learning rate have a share
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_value_(self.model.parameters(), clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.step += 1
        if self._decay:
            self._average.update_parameters(self.model)

    def add(self, epoch: Record, better: bool) -> None:
        """Append an epoch to the history; the watched weights are kept if it is the best so far."""
        if better:
            self.best = len(self.history)
            self.keep()
        self.history.append(epoch)

    def keep(self) -> None:
        """Keep a copy of the watched weights."""
        self.kept = {name: value.detach().cpu().clone() for name, value in self.watched.state_dict().items()}

    def back_to_best(self, optimiser: torch.optim.Optimizer) -> None:
        """Continue from the kept weights with a new optimiser."""
        self.model.load_state_dict(self.kept)
        self._average.module.load_state_dict(self.kept)
        self.optimiser = optimiser

    def kept_model(self) -> nn.Module:
        """The model with the kept weights, on the CPU and in evaluation mode."""
        self._average.module.load_state_dict(self.kept)
        return self._average.module.eval().to("cpu")

    def save(self, path: Path) -> None:
        """Write what a later process needs to continue; written to a temporary file and renamed, by rank 0 alone."""
        if not distributed.first():
            return
        state = {
            "identity": self.identity, "model": self.model.state_dict(), "average": self._average.state_dict(),
            "kept": self.kept, "optimiser": self.optimiser.state_dict(), "step": self.step, "best": self.best,
            "history": [asdict(epoch) for epoch in self.history], "scaler": self.scaler.state_dict(),
        }  # fmt: skip
        file = io.BytesIO()
        torch.save(state, file)
        write_whole(path, file.getvalue())

    def restore(self, path: Path, device: str) -> None:
        """Load the checkpoint of a run of the same identity.

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
        self._average.load_state_dict(state["average"])
        self.kept, self.step, self.best = state["kept"], state["step"], state["best"]
        self.history = [self._record(**epoch) for epoch in state["history"]]


def cosine_rate(step: int, total: int, warmup: int) -> float:
    """Fraction of the largest learning rate: a linear warm-up, then a cosine down to a hundredth.

    Examples
    --------
    >>> [round(cosine_rate(step, 100, 10), 2) for step in (0, 9, 50, 100)]
    [0.1, 0.98, 0.51, 0.01]
    """
    warm = min(1.0, (step + 1) / max(1, warmup))
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total)))))

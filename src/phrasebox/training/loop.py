"""The training loop of both models: epochs in phases, validation, early stopping, checkpoints and resumption."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import nn

from phrasebox.errors import ModelError
from phrasebox.pipeline.progress import duration
from phrasebox.training import distributed
from phrasebox.training.checkpoint import CHECKPOINT, TrainingState, cosine_rate
from phrasebox.training.execution import Execution


class LoopSettings(Protocol):
    """The training settings that the loop reads."""

    @property
    def seed(self) -> int:
        """Seed of all random numbers."""
        ...

    @property
    def clip(self) -> float:
        """Largest element of the gradient."""
        ...

    @property
    def average(self) -> float:
        """Decay of the running average of the weights; 0 for none."""
        ...

    @property
    def patience(self) -> int:
        """Epochs without a better score before a phase ends; 0 for no early stopping."""
        ...


@dataclass(frozen=True, slots=True)
class Phase:
    """Consecutive epochs with the same loss.

    Attributes
    ----------
    name : str
    epochs : int
        Number of passes over the data.
    lr : float
        Largest learning rate.
    warmup : int or None
        Warm-up steps before the rate falls as a cosine to a hundredth; None keeps the rate constant.
    """

    name: str
    epochs: int
    lr: float
    warmup: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Results of one epoch; a task adds its validation figures, NaN without a validation split.

    Attributes
    ----------
    epoch : int
        Its number, from 0.
    epochs : int
        Number of epochs of the whole training unless it stops early.
    phase : str
        Name of the `Phase`.
    loss : float
        Mean training loss.
    lr : float
        Learning rate at the end.
    seconds : float
        Duration, validation included.
    warning : str
        What is wrong with the model; blank if nothing is.
    """

    epoch: int
    epochs: int
    phase: str
    loss: float
    lr: float
    seconds: float
    warning: str = ""

    @property
    def score(self) -> float:
        """The validation figure that early stopping watches; NaN without validation."""
        return math.nan

    @property
    def validation(self) -> str:
        """The figures of the validation split as a line shows them; empty without one."""
        return ""

    @property
    def figures(self) -> str:
        """The results as a line shows them."""
        return f"loss {self.loss:.3f}"

    @property
    def line(self) -> str:
        """Progress in one line: ``epoch 3 of 8, val R@1 31.2, 2 min left``."""
        remaining = self.epochs - self.epoch - 1
        left = f"{duration(remaining * self.seconds)} left" if remaining > 0 else f"{duration(self.seconds)}"
        parts = (f"epoch {self.epoch + 1} of {self.epochs}", self.figures, left, self.warning)
        return ", ".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``; null in place of NaN, which JSON does not have."""
        return {name: None if _unknown(value) else value for name, value in asdict(self).items()}


E_ = TypeVar("E_", bound=Epoch)
Batch = TypeVar("Batch")
Part = TypeVar("Part")
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Trained(Generic[Model, E_]):
    """A trained model in evaluation mode and its history; ``best`` indexes the epoch whose weights it has."""

    model: Model
    history: tuple[E_, ...]
    best: int


class Task(ABC, Generic[Model, E_, Batch, Part]):
    """What is learned: the model, its data and loss.

    Attributes
    ----------
    model : Module
        On its device.
    settings : LoopSettings
    phases : tuple of Phase
        In order; each continues from the best weights of those before.
    scaler : GradScaler
        By which `gradient` scales losses.
    """

    record: type[E_]
    stops_on_warnings: ClassVar[bool] = False
    "Whether two epochs in a row with a warning end the training."

    model: Model
    settings: LoopSettings
    phases: tuple[Phase, ...]
    execution: Execution
    device: str
    scaler: torch.amp.GradScaler

    @abstractmethod
    def identity(self) -> str:
        """Everything the result depends on: settings, and a fingerprint of the data."""

    @abstractmethod
    def optimiser(self) -> torch.optim.Optimizer:
        """A new optimiser of the model's parameters."""

    @abstractmethod
    def batches(self, rng: np.random.Generator) -> Sequence[Batch]:
        """The batches of an epoch."""

    @abstractmethod
    def read(self, batches: Sequence[Batch]) -> Generator[Part]:
        """The data of the batches in order, read ahead where it is on disk."""

    @abstractmethod
    def gradient(self, batch: Batch, read: Iterator[Part], phase: str) -> tuple[float, Sequence[float]]:
        """Add the gradient of a batch's loss, summed over all processes.

        Returns
        -------
        loss : float
            Training stops if it is not finite.
        figures : sequence of float
            This process's share of each figure that `epoch` reports; NaN if the batch has none.
        """

    @abstractmethod
    def epoch(self, common: dict[str, Any], figures: Sequence[float], model: Model) -> E_:
        """Validate ``model`` and make the record of an epoch.

        Parameters
        ----------
        common : dict
            Fields of `Epoch` that the loop knows.
        figures : sequence of float
            Mean of each figure of `gradient` over the batches.
        """


def fit(
    task: Task[Model, E_, Any, Any], folder: Path | None = None, report: Callable[[E_], object] = lambda epoch: None
) -> Trained[Model, E_]:
    """Train, and keep the weights of the epoch with the best validation score, the last one without validation.

    In a group of processes (`phrasebox.training.distributed`) all call it alike; each computes its share of every
    batch, rank 0 writes, and all get the same model. Every epoch draws its random numbers from (seed, epoch) alone.

    Parameters
    ----------
    folder : Path, optional
        A checkpoint is written here after every epoch. If it has one of the same identity, training continues from it,
        to the same weights as without the interruption.
    report : callable
        Is given every finished epoch.

    Raises
    ------
    ModelError
        If the loss is not finite, two epochs in a row have a warning and the task stops on those, or the checkpoint
        does not fit.
    """
    run = _Run(task)
    checkpoint = folder / CHECKPOINT if folder else None
    distributed.barrier()  # rank 0 may have emptied the folder
    if checkpoint and checkpoint.exists():
        run.state.restore(checkpoint, task.device)
    history = run.state.history
    while phase := run.phase():
        epoch = run.epoch(phase)
        if checkpoint:
            run.state.save(checkpoint)
        report(epoch)
        if task.stops_on_warnings and epoch.warning and len(history) > 1 and history[-2].warning:
            raise ModelError(f"training was stopped after epoch {epoch.epoch + 1}: {epoch.warning}")
    model: Any = run.state.kept_model()
    return Trained(model, tuple(history), run.state.best)


class _Run(Generic[E_]):
    """A task and the state of its training between epochs."""

    def __init__(self, task: Task[Any, E_, Any, Any]) -> None:
        self.task, self.settings = task, task.settings
        self.state = TrainingState(
            task.model, task.optimiser(), task.identity(), task.record, self.settings.average, task.scaler
        )
        if task.execution.compile:
            task.model.compile_parts()
        self.steps_an_epoch = len(task.batches(self._rng(0)))

    def _rng(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng((self.settings.seed, epoch))

    def phase(self) -> Phase | None:
        """The phase of the next epoch; None if training is finished.

        A phase ends with its epochs, or after ``patience`` epochs without a better score.
        """
        names = [epoch.phase for epoch in self.state.history]
        for phase in self.task.phases:
            began = names.index(phase.name) if phase.name in names else len(names)
            own = names.count(phase.name)
            waited = len(names) - 1 - max(self.state.best, began - 1)
            tired = bool(self.settings.patience and own and waited >= self.settings.patience)
            over = names[began + own :]  # epochs of later phases
            if not over and own < phase.epochs and not tired:
                return phase
        return None

    def epoch(self, phase: Phase) -> E_:
        """One pass over all data, then validation; keeps the weights if they are the best so far."""
        task, state = self.task, self.state
        started, number = time.monotonic(), len(state.history)
        if number and state.history[-1].phase != phase.name:
            state.back_to_best(task.optimiser())
        torch.manual_seed(self.settings.seed * 1_000_003 + number + 1)
        task.model.train()
        batches = task.batches(self._rng(number))
        with closing(task.read(batches)) as read:
            shares = [self._step(batch, read, phase) for batch in batches]
        figures = np.sum(distributed.gather_lists([np.array(shares)]), axis=0)  # (steps, figures)
        common = {
            "epoch": number,
            "epochs": sum(each.epochs for each in task.phases),
            "phase": phase.name,
            "lr": self._rate(phase),
            "seconds": 0.0,
        }
        done = task.epoch(common, [mean(column) for column in figures.T.tolist()], state.watched)
        done = distributed.from_first(replace(done, seconds=time.monotonic() - started))
        best = state.best
        state.add(done, math.isnan(done.score) or best < 0 or done.score > state.history[best].score)
        return done

    def _step(self, batch: Any, read: Iterator[Any], phase: Phase) -> Sequence[float]:
        """One update; returns this process's share of each figure."""
        self.state.zero_grad()
        loss, figures = self.task.gradient(batch, read, phase.name)
        if not math.isfinite(loss):
            number = len(self.state.history) + 1
            raise ModelError(f"the loss is {loss} in epoch {number}; use a smaller learning rate (--lr)")
        self.state.descend(self._rate(phase), self.settings.clip)
        return figures

    def _rate(self, phase: Phase) -> float:
        """Learning rate of the present step."""
        if phase.warmup is None:
            return phase.lr
        return phase.lr * cosine_rate(self.state.step, self.steps_an_epoch * phase.epochs, phase.warmup)


def mean(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN if there are none.

    >>> mean([1.0, math.nan, 3.0])
    2.0
    """
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _unknown(value: Any) -> bool:
    """Whether a value is NaN or consists of NaN."""
    if isinstance(value, tuple):
        return bool(value) and all(map(_unknown, value))
    return isinstance(value, float) and math.isnan(value)

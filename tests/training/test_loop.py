"""The loop's phases, early stopping and progress lines, with a task whose scores are given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from phrasebox.training.execution import PLAIN
from phrasebox.training.loop import Epoch, Phase, Task, fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored(Epoch):
    given: float = math.nan

    @property
    def score(self) -> float:
        return self.given


class Line(Task):
    """A weight that every step moves by the learning rate; the score of each epoch is given beforehand."""

    record = Scored

    def __init__(self, scores, phases, patience=0, average=0.0):
        self.model = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.model.weight)
        self.settings = SimpleNamespace(seed=0, clip=9.0, average=average, patience=patience)
        self.phases, self.execution, self.device = phases, PLAIN, "cpu"
        self.scaler = PLAIN.scaler("cpu")
        self.scores = scores

    def identity(self):
        return "a line"

    def optimiser(self):
        return torch.optim.SGD(self.model.parameters(), lr=1.0)

    def batches(self, rng):
        return [0, 1]

    def read(self, batches):
        return (batch for batch in batches)

    def gradient(self, batch, read, phase):
        (-self.model.weight.sum()).backward()
        return 1.0, [1.0, math.nan]

    def epoch(self, common, figures, model):
        assert figures[0] == 1.0
        assert math.isnan(figures[1])
        return Scored(**common, loss=figures[0], given=self.scores[common["epoch"]])


def test_the_weights_of_the_best_epoch_are_kept():
    trained = fit(Line([1.0, 3.0, 2.0], (Phase("one", 3, 0.5),)))
    assert trained.best == 1
    assert trained.model.weight.item() == 2.0  # two epochs of two steps of 0.5
    assert [e.lr for e in trained.history] == [0.5] * 3


def test_a_later_phase_continues_from_the_best_weights_of_the_first():
    phases = (Phase("one", 9, 0.5), Phase("two", 2, 0.25))
    trained = fit(Line([1.0, 0.5, 0.5, 0.7, 2.0], phases, patience=2))
    assert [e.phase for e in trained.history] == ["one", "one", "one", "two", "two"]
    assert trained.best == 4
    assert trained.model.weight.item() == 1.0 + 4 * 0.25
    assert [e.epochs for e in trained.history] == [11] * 5


def test_a_phase_without_epochs_is_passed_over():
    trained = fit(Line([1.0], (Phase("one", 0, 0.5), Phase("two", 1, 0.5))))
    assert [e.phase for e in trained.history] == ["two"]


def test_the_average_forgets_its_random_start():
    trained = fit(Line([math.nan] * 2, (Phase("one", 2, 1.0),), average=0.5))
    average = 0.0
    for step in range(1, 5):
        average += (1 - min(0.5, step / (step + 9))) * (step - average)
    assert trained.model.weight.item() == pytest.approx(average)


def test_a_checkpoint_continues_where_the_training_stopped(tmp_path):
    def stop(epoch):
        if epoch.epoch == 0:
            raise KeyboardInterrupt

    phases = (Phase("one", 2, 1.0, warmup=3), Phase("two", 1, 0.5))
    whole = fit(Line([1.0, 2.0, 3.0], phases, average=0.5))
    with pytest.raises(KeyboardInterrupt):
        fit(Line([1.0, 2.0, 3.0], phases, average=0.5), tmp_path, stop)
    resumed = fit(Line([1.0, 2.0, 3.0], phases, average=0.5), tmp_path)
    assert resumed.model.weight.item() == whole.model.weight.item()
    assert [(e.phase, e.lr) for e in resumed.history] == [(e.phase, e.lr) for e in whole.history]


@pytest.mark.parametrize(
    ("epoch", "line"),
    [
        (Epoch(epoch=2, epochs=8, phase="", loss=1.5, lr=1.0, seconds=24.0), "epoch 3 of 8, loss 1.500, 2 min left"),
        (
            Epoch(epoch=7, epochs=8, phase="", loss=1.5, lr=1.0, seconds=24.0, warning="all alike"),
            "epoch 8 of 8, loss 1.500, 24 s, all alike",
        ),
    ],
)
def test_a_line_says_how_far_it_is(epoch, line):
    assert epoch.line == line
    assert epoch.to_json()["loss"] == 1.5


def test_json_has_null_for_what_was_not_measured():
    assert Scored(epoch=0, epochs=1, phase="", loss=math.nan, lr=1.0, seconds=1.0).to_json()["given"] is None

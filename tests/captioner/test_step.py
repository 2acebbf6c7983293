"""Parts and processes: the same losses, gradients and weights as one whole batch in one process."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captioner_together import gradient, work

import ranked_processes
from phrasebox.captioner import TrainSettings
from phrasebox.training.execution import PLAIN, Execution

TRAIN = TrainSettings(min_count=2, epochs=2, reward_epochs=0, batch=6, warmup=2, dropout=0.0)
WORLD = 2
KINDS = ("rnn", "gru", "lstm")


@pytest.fixture(scope="module")
def lessons(corpus):
    return corpus(13, seed=0)  # in sixes, the last batch is one image: nothing for one of two processes


@pytest.fixture(scope="module")
def tasks(lessons, corpus, kinds):
    """Each with what one process on its own makes of it."""
    found = {
        f"gradient {kind} {micro}": ("gradient", lessons, kinds[kind], TRAIN, Execution(micro))
        for kind in KINDS
        for micro in (0, 2)
    }
    found["train"] = ("train", lessons, corpus(5, seed=1), kinds["lstm"], TRAIN, PLAIN)
    rewarded = replace(TRAIN, epochs=1, reward_epochs=1)
    found["rewarded"] = ("train", lessons, corpus(5, seed=1), kinds["gru"], rewarded, Execution(2))
    dropout = replace(TRAIN, dropout=0.3)
    found["dropout"] = ("train", lessons, None, kinds["gru"], dropout, PLAIN)
    return found


@pytest.fixture(scope="module")
def together(tasks, tmp_path_factory):
    """What two processes make of the tasks: a result of each by the task's name."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "tasks.pkl").write_bytes(pickle.dumps(list(tasks.values())))
    ranked_processes.run(WORLD, Path(__file__).parent / "captioner_together.py", folder)
    results = [pickle.loads((folder / f"{rank}.pkl").read_bytes()) for rank in range(WORLD)]
    return dict(zip(tasks, zip(*results, strict=True), strict=True))


def same(found, wanted, atol=1e-5):
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(
            found[name], tensor, atol=atol, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("micro", [1, 4, 99])
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_in_parts_has_the_gradient_of_the_whole(kind, micro, lessons, kinds):
    losses, wanted = gradient(lessons, kinds[kind], TRAIN, PLAIN)
    found, gradients = gradient(lessons, kinds[kind], TRAIN, Execution(micro))
    np.testing.assert_allclose(found, losses, rtol=1e-5)
    assert any(tensor.abs().sum() > 0.01 for tensor in wanted.values())
    same(gradients, wanted)


@pytest.mark.parametrize("micro", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_processes_have_the_gradient_of_one(kind, micro, tasks, together):
    name = f"gradient {kind} {micro}"
    losses, wanted = work(*tasks[name])
    for found, gradients in together[name]:
        np.testing.assert_allclose(found, losses, rtol=1e-5)
        same(gradients, wanted)


def test_processes_train_the_model_of_one(tasks, together):
    losses, weights = work(*tasks["train"])
    (one, model), (other, copy) = together["train"]
    np.testing.assert_array_equal(one, other)
    assert all(torch.equal(model[name], copy[name]) for name in model), "the copies drift apart"
    np.testing.assert_allclose(one, losses, rtol=1e-4)
    same(model, weights, atol=1e-4)


@pytest.mark.parametrize("name", ["rewarded", "dropout"])
def test_processes_that_draw_their_own_random_numbers_keep_the_same_weights(name, together):
    (one, model), (other, copy) = together[name]
    np.testing.assert_array_equal(one, other)
    assert all(torch.equal(model[key], copy[key]) for key in model), "the copies drift apart"


def test_the_reward_of_parts_is_the_mean_over_all(lessons, kinds):
    settings = replace(TRAIN, reward_epochs=1)
    (_, _, whole), _ = gradient(lessons, kinds["gru"], settings, PLAIN, "reward")
    (_, _, parts), _ = gradient(lessons, kinds["gru"], settings, Execution(2), "reward")
    assert 0 < parts < 10
    assert parts == pytest.approx(whole, abs=1.0)  # other sentences are drawn


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_is_near(kind, precision, lessons, kinds):
    (value, *_), _ = gradient(lessons, kinds[kind], TRAIN, PLAIN)
    (found, *_), gradients = gradient(lessons, kinds[kind], TRAIN, Execution(2, precision))
    assert found == pytest.approx(value, rel=0.03)
    assert found != value
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in gradients.values())

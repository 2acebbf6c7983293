"""Parts and processes: the same losses, gradients and weights as one whole batch in one process."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from aligner_together import gradient, work

import ranked_processes
from phrasebox.aligner import AlignerModel, ModelSettings, TrainSettings
from phrasebox.aligner.data import epoch_batches, pack
from phrasebox.aligner.loss import objective
from phrasebox.training.execution import PLAIN, Execution, seeded

MODEL = ModelSettings(vector_dim=32, parts=(20, 12), dim=24, hidden=24)
MODELS = {
    "mlp": MODEL,
    "one head": replace(MODEL, parts=()),
    "gru": replace(MODEL, encoder="gru"),
    "brnn": replace(MODEL, encoder="brnn", normalise=False, mean=False, geometry=False),
}
TRAIN = TrainSettings(epochs=2, batch=8, captions=2, warmup=2, drop_regions=0.4, dropout=0.0)
DROPOUT = replace(TRAIN, dropout=0.3)
OBJECTIVES = ("infonce", "margin-sum", "margin-hardest")


@pytest.fixture(scope="module")
def pairs(world):
    return world(19, seed=1)[0]


@pytest.fixture(scope="module")
def tasks(pairs, world):
    """Each with what one process on its own makes of it."""
    validation = world(7, seed=2)[0]
    found = {
        f"gradient {name} {loss} {micro}": ("gradient", pairs, model, replace(TRAIN, objective=loss), Execution(micro))
        for name, model in MODELS.items()
        for loss in OBJECTIVES
        for micro in (0, 3)
    }
    found |= {
        f"train {micro}": ("train", pairs, validation, MODEL, replace(TRAIN, batch=6, captions=1), Execution(micro))
        for micro in (0, 2)
    }
    found["shards"] = ("shards", pairs, 6, 2, PLAIN)
    found["empty"] = ("gradient", world(19, seed=1)[0], MODEL, replace(TRAIN, batch=2), PLAIN)
    return found


@pytest.fixture(scope="module", params=[2, 3])
def together(request, tasks, tmp_path_factory):
    """What two or three processes make of the tasks: a result of each by the task's name."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "tasks.pkl").write_bytes(pickle.dumps(list(tasks.values())))
    ranked_processes.run(request.param, Path(__file__).parent / "aligner_together.py", folder)
    results = [pickle.loads((folder / f"{rank}.pkl").read_bytes()) for rank in range(request.param)]
    return dict(zip(tasks, zip(*results, strict=True), strict=True))


def same(found, wanted, atol=1e-5):
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(
            found[name], tensor, atol=atol, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


def plain_gradient(pairs, settings):
    """The textbook way: the whole batch through the model, and back."""
    torch.manual_seed(settings.seed)
    model = AlignerModel(MODEL).train()
    images, captions = next(epoch_batches(pairs, settings.batch, settings.captions, np.random.default_rng(0)))
    v, mask = model.embed_images(pairs.regions[torch.from_numpy(images)])
    s, lengths = model.embed_sentences(pack([pairs.sentences[i] for i in captions]))
    owner = torch.tensor([images.tolist().index(i) for i in pairs.owner[captions]])
    heads = zip(v.split(MODEL.dim // 2, 2), s.split(MODEL.dim // 2, 1), strict=True)  # each by itself, of length 1
    tables = [model.scores(F.normalize(a, dim=2), F.normalize(b, dim=1), lengths, mask) for a, b in heads]
    losses = [objective(settings.objective, t * model.temperature, owner, 1.0) for t in tables]
    loss = torch.stack(losses).mean()
    loss.backward()
    return float(loss), {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("micro", [0, 3])
@pytest.mark.parametrize("loss", OBJECTIVES)
def test_a_step_has_the_gradient_of_the_textbook(loss, micro, pairs):
    settings = replace(TRAIN, objective=loss, drop_regions=0.0, dropout=0.0)
    value, wanted = plain_gradient(pairs, settings)
    found, gradients = gradient(pairs, MODEL, settings, Execution(micro))
    assert found == pytest.approx(value, rel=1e-5)
    same(gradients, wanted)


@pytest.mark.parametrize("micro", [1, 3, 8, 99])
@pytest.mark.parametrize("encoder", MODELS)
def test_a_batch_in_parts_has_the_gradient_of_the_whole(encoder, micro, pairs):
    value, wanted = gradient(pairs, MODELS[encoder], TRAIN, PLAIN)
    found, gradients = gradient(pairs, MODELS[encoder], TRAIN, Execution(micro))
    assert found == pytest.approx(value, rel=1e-5)
    assert any(tensor.abs().sum() > 0.01 for tensor in wanted.values())
    same(gradients, wanted)


def test_training_in_parts_has_the_same_losses(pairs, tasks):
    (plain, weights), (parts, others) = work(*tasks["train 0"]), work(*tasks["train 2"])
    np.testing.assert_allclose(parts, plain, rtol=1e-4)
    same(others, weights, atol=1e-4)


@pytest.mark.parametrize("micro", [0, 3])
@pytest.mark.parametrize("loss", OBJECTIVES)
@pytest.mark.parametrize("encoder", MODELS)
def test_processes_have_the_gradient_of_one(encoder, loss, micro, tasks, together):
    name = f"gradient {encoder} {loss} {micro}"
    value, wanted = work(*tasks[name])
    for found, gradients in together[name]:
        assert found == pytest.approx(value, rel=1e-5)
        same(gradients, wanted)


def test_a_process_may_have_nothing_to_do(tasks, together):
    value, wanted = work(*tasks["empty"])
    for found, gradients in together["empty"]:
        assert found == pytest.approx(value, rel=1e-5)
        same({name: gradients[name] for name in wanted}, wanted)


@pytest.mark.parametrize("micro", [0, 2])
def test_processes_train_the_model_of_one(micro, tasks, together):
    losses, weights = work(*tasks["train 0"])
    (one, model), *_, (other, copy) = together[f"train {micro}"]
    assert one == other
    assert all(torch.equal(model[name], copy[name]) for name in model), "the copies drift apart"
    np.testing.assert_allclose(one, losses, rtol=1e-4)
    same(model, weights, atol=1e-4)


def test_shards_are_disjoint_complete_and_anew_each_epoch(tasks, together, pairs):
    alone = work(*tasks["shards"])
    for epoch in range(2):
        for batch, *parts in zip(alone[epoch], *(shard[epoch] for shard in together["shards"]), strict=True):
            assert [i for part in parts for i in part] == batch
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert {i for batch in alone[epoch] for i in batch} == set(range(len(pairs)))
    assert all(first != second for first, second in together["shards"])


def test_with_dropout_a_second_pass_draws_the_same(pairs):
    """The gradient of parts is that of their own loss: a small step along it lowers the loss as it says."""
    torch.manual_seed(0)
    with seeded(5, "cpu"):
        once = torch.rand(9)
    after = torch.rand(9)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(9), after), "what is drawn outside does not depend on what is drawn inside"
    with seeded(5, "cpu"):
        assert torch.equal(torch.rand(9), once)
    value, gradients = gradient(pairs, MODEL, DROPOUT, Execution(3))
    again, others = gradient(pairs, MODEL, DROPOUT, Execution(3))
    assert value == again
    same(others, gradients, atol=0)
    plain, _ = gradient(pairs, MODEL, TRAIN, Execution(3))
    assert value != plain, "dropout is on"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("encoder", ["mlp", "gru"])
def test_half_precision_is_near(encoder, precision, pairs):
    value, _ = gradient(pairs, MODELS[encoder], TRAIN, PLAIN)
    for micro in (0, 3):
        found, gradients = gradient(pairs, MODELS[encoder], TRAIN, Execution(micro, precision))
        assert found == pytest.approx(value, rel=0.03)
        assert found != value
        assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in gradients.values())


@pytest.mark.skipif(not shutil.which("g++"), reason="a compiler is needed to compile for a processor")
def test_compiled_networks_train_as_plain_ones(pairs):
    settings = replace(TRAIN, epochs=1)  # without dropout, as compiled code draws other numbers
    plain, weights = work("train", pairs, None, MODEL, settings, PLAIN)
    found, others = work("train", pairs, None, MODEL, settings, Execution(compile=True))
    np.testing.assert_allclose(found, plain, rtol=1e-4)
    same(others, weights, atol=1e-4)

from __future__ import annotations

import math
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from phrasebox.aligner import PRESETS, AlignerModel, ModelSettings, Pairs, TrainSettings
from phrasebox.aligner.train import all_scores, recalls, train
from phrasebox.errors import DataError, ModelError
from phrasebox.training.checkpoint import CHECKPOINT

MODEL = ModelSettings(vector_dim=32, dim=24, hidden=24)
QUICK = TrainSettings(epochs=4, batch=8, captions=1, lr=3e-3, warmup=4, drop_regions=0.3, average=0.5)


@pytest.fixture(scope="module")
def pairs(world):
    return world(24, seed=1)[0]


@pytest.fixture(scope="module")
def validation(world):
    return world(12, seed=2)[0]


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def without_seconds(trained):
    return [repr(replace(e, seconds=0.0)) for e in trained.history]  # as text: NaN is not equal to itself


@pytest.mark.parametrize("encoder", ["mlp", "gru"])
def test_learns_to_retrieve_and_to_point(world, encoder):
    pairs, _ = world(150, seed=3)
    held_out, shown = world(40, seed=4)
    settings = TrainSettings(epochs=15, batch=20, captions=2, lr=1e-2, warmup=5, dropout=0.0, patience=0)
    trained = train(pairs, held_out, replace(MODEL, encoder=encoder), settings)
    forth, back = recalls(trained.model, held_out)
    assert forth[0] > 60  # chance is 2.5
    assert back[0] > 60
    with torch.inference_mode():
        v = trained.model.embed_regions(held_out.regions.vectors.float(), held_out.regions.geometry)
        right = []
        for k in range(len(held_out)):
            words = torch.from_numpy(held_out.sentences[2 * k]).float()
            s = trained.model.embed_words(words, torch.tensor([len(words)]))
            right += ((s @ v[k].T).argmax(1) == torch.arange(len(shown[k])) + 1).tolist()
    assert np.mean(right) > 0.8  # chance is 0.2
    assert trained.history[-1].loss < trained.history[0].loss


@pytest.mark.parametrize("preset", ["paper", "modern"])
def test_presets_train(preset, pairs, validation):
    chosen = PRESETS[preset]
    model_settings = replace(chosen.model, vector_dim=32, dim=16, hidden=16)
    settings = replace(chosen.train, epochs=4, batch=12, warmup=1, lr=chosen.train.lr * 3)
    trained = train(pairs, validation, model_settings, settings)
    losses = [e.loss for e in trained.history]
    assert losses[-1] < losses[0]
    assert not trained.model.training


@pytest.mark.parametrize("objective", ["margin-sum", "margin-hardest", "infonce"])
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_every_objective_and_optimiser_moves_the_weights(pairs, objective, optimiser):
    settings = TrainSettings(epochs=1, batch=8, objective=objective, optimiser=optimiser, warmup=1)
    untrained = train(pairs, None, MODEL, replace(settings, lr=1e-12))
    trained = train(pairs, None, MODEL, settings)
    assert not same_weights(untrained.model, trained.model)
    assert math.isfinite(trained.history[0].loss)


@pytest.mark.parametrize("encoder", ["brnn", "gru"])
def test_words_are_standardised_by_the_training_sentences(pairs, encoder):
    settings = replace(MODEL, encoder=encoder)
    words = train(pairs, None, settings, replace(QUICK, epochs=1)).model.heads[0].words
    every = np.concatenate([np.asarray(s, np.float64) for s in pairs.sentences])  # fewer than would be sampled
    np.testing.assert_allclose(words.shift, every.mean(0), atol=1e-4)
    assert float(words.scale) == pytest.approx(np.sqrt(((every - every.mean(0)) ** 2).mean()), rel=1e-3)


def test_a_trained_model_keeps_its_standard(pairs, world):
    start = train(pairs, None, replace(MODEL, encoder="gru"), replace(QUICK, epochs=1)).model
    shift = start.heads[0].words.shift.clone()
    others, _ = world(24, seed=5)
    further = train(others, None, start.settings, replace(QUICK, epochs=1), start=start).model
    assert torch.equal(further.heads[0].words.shift, shift)


class StopError(Exception):
    """The interruption."""


def interrupted(*arguments, after, **options):
    def report(epoch):
        if epoch.epoch == after:
            raise StopError

    with pytest.raises(StopError):
        train(*arguments, report=report, **options)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("watched", [True, False], ids=["validation", "no validation"])
def test_interrupted_equals_uninterrupted(pairs, validation, watched, optimiser, tmp_path):
    arguments = (pairs, validation if watched else None, MODEL, replace(QUICK, optimiser=optimiser))
    whole = train(*arguments)
    interrupted(*arguments, folder=tmp_path, after=0)
    interrupted(*arguments, folder=tmp_path, after=2)
    reported = []
    resumed = train(*arguments, folder=tmp_path, report=reported.append)
    assert [e.epoch for e in reported] == [3]
    assert same_weights(whole.model, resumed.model)
    assert without_seconds(whole) == without_seconds(resumed)
    assert whole.best == resumed.best


def test_finished_training_is_not_repeated(pairs, tmp_path):
    first = train(pairs, None, MODEL, QUICK, tmp_path)
    again = train(pairs, None, MODEL, QUICK, tmp_path, report=lambda e: pytest.fail("trained again"))
    assert same_weights(first.model, again.model)
    assert [p.name for p in tmp_path.iterdir()] == [CHECKPOINT]


def test_seed_decides_everything(pairs, validation):
    one, same, other = (train(pairs, validation, MODEL, replace(QUICK, seed=seed)) for seed in (5, 5, 6))
    assert same_weights(one.model, same.model)
    assert without_seconds(one) == without_seconds(same)
    assert not same_weights(one.model, other.model)


def with_recalls(monkeypatch, values):
    given = iter(values)

    def scripted(model, pairs):
        value = next(given)
        return (value,) * 3, (value,) * 3

    monkeypatch.setattr(import_module("phrasebox.aligner.train"), "recalls", scripted)


def test_early_stopping_keeps_the_best(pairs, validation, monkeypatch):
    settings = replace(QUICK, epochs=9, patience=2)
    with_recalls(monkeypatch, [10.0, 30.0, 20.0, 30.0])
    stopped = train(pairs, validation, MODEL, settings)
    assert [e.score for e in stopped.history] == [10, 30, 20, 30]
    assert stopped.best == 1
    with_recalls(monkeypatch, [10.0, 30.0, *range(9)])
    assert same_weights(stopped.model, train(pairs, validation, MODEL, settings).model)
    with_recalls(monkeypatch, [10.0, *range(20, 30)])
    last = train(pairs, validation, MODEL, settings)
    assert last.best == 8
    assert not same_weights(stopped.model, last.model)


def test_patience_of_zero_never_stops(pairs, validation, monkeypatch):
    with_recalls(monkeypatch, [50.0, *[1.0] * 3])
    assert len(train(pairs, validation, MODEL, replace(QUICK, patience=0)).history) == 4


@pytest.mark.parametrize("nothing", [None, Pairs.gather([], {})], ids=["none", "no images"])
def test_without_validation_the_last_is_kept(pairs, nothing):
    trained = train(pairs, nothing, MODEL, QUICK)
    assert trained.best == 3
    assert math.isnan(trained.history[0].score)


@pytest.mark.parametrize("images", [0, 1])
def test_fewer_than_two_images(world, images):
    pairs = world(images, seed=1)[0] if images else Pairs.gather([], {})
    with pytest.raises(DataError, match=f"{images} training images"):
        train(pairs, None, MODEL, QUICK)


def test_checkpoint_of_other_settings_is_refused(pairs, world, tmp_path):
    interrupted(pairs, None, MODEL, QUICK, folder=tmp_path, after=0)
    for arguments in (
        (pairs, None, MODEL, replace(QUICK, lr=1e-4)),
        (pairs, None, replace(MODEL, hidden=8), QUICK),
        (world(20, seed=1)[0], None, MODEL, QUICK),
    ):
        with pytest.raises(ModelError, match="other settings or data"):
            train(*arguments, folder=tmp_path)


def test_checkpoint_of_other_data_of_the_same_size_is_refused(pairs, world, tmp_path):
    interrupted(pairs, None, MODEL, QUICK, folder=tmp_path, after=0)
    other = world(24, seed=2)[0]
    assert [len(s) for s in other.sentences] == [len(s) for s in pairs.sentences]
    with pytest.raises(ModelError, match="other settings or data"):
        train(other, None, MODEL, QUICK, tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage" * 50], ids=["empty", "garbage"])
def test_damaged_checkpoint(pairs, tmp_path, content):
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        train(pairs, None, MODEL, QUICK, tmp_path)


def test_foreign_checkpoint(pairs, tmp_path):
    torch.save({"weights": torch.zeros(2)}, tmp_path / CHECKPOINT)
    with pytest.raises(ModelError, match="cannot be read"):
        train(pairs, None, MODEL, QUICK, tmp_path)


def test_loss_that_is_not_finite(pairs):
    settings = replace(QUICK, optimiser="sgd", lr=1e30, objective="margin-sum")
    with pytest.raises(ModelError, match="smaller learning rate"):
        train(pairs, None, replace(MODEL, normalise=False), settings)


def test_collapse_for_two_epochs_stops_training(pairs, monkeypatch):
    signs = iter(["", "gone", "", "gone", "gone"])
    monkeypatch.setattr(import_module("phrasebox.aligner.train"), "collapse", lambda model, pairs: next(signs))
    reported = []
    with pytest.raises(ModelError, match="after epoch 5: gone"):
        train(pairs, None, MODEL, replace(QUICK, epochs=9), report=reported.append)
    assert [e.warning for e in reported] == ["", "gone", "", "gone", "gone"]


def test_recalls_equal_slow_ranks(world, pairs):
    model = train(pairs, None, MODEL, replace(QUICK, epochs=1)).model
    held_out, _ = world(15, seed=8, captions=3)
    scores, owner = all_scores(model, held_out), held_out.owner
    to_image = [sum(scores[i, j] >= scores[owner[j], j] for i in range(15)) for j in range(len(owner))]
    to_sentence = []
    for k in range(15):
        best = max(scores[k, j] for j in range(len(owner)) if owner[j] == k)
        to_sentence.append(1 + sum(scores[k, j] >= best for j in range(len(owner)) if owner[j] != k))
    for found, ranks in zip(recalls(model, held_out), (to_sentence, to_image), strict=True):
        assert found == pytest.approx([100 * np.mean([r <= k for r in ranks]) for k in (1, 5, 10)])


def test_a_broken_model_recalls_nothing(world):
    model = AlignerModel(MODEL).eval()
    torch.nn.init.constant_(model.heads[0].regions.linear.weight, math.nan)
    assert recalls(model, world(12, seed=8)[0]) == ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def test_scores_in_blocks_equal_scores_at_once(world, pairs, monkeypatch):
    model = train(pairs, None, MODEL, replace(QUICK, epochs=1)).model
    held_out, _ = world(9, seed=9)
    at_once = all_scores(model, held_out)
    monkeypatch.setattr(import_module("phrasebox.aligner.train"), "_SENTENCES", 4)
    monkeypatch.setattr(import_module("phrasebox.aligner.train"), "_IMAGES", 5)
    np.testing.assert_allclose(all_scores(model, held_out), at_once, atol=1e-5)


@pytest.mark.parametrize(
    ("preset", "images", "captions", "warmup"),
    [
        pytest.param("modern", 5996, 29980, 100, id="as asked for"),
        pytest.param("modern", 80, 400, 4, id="a quarter of 16 steps"),
        pytest.param("modern", 80, 80, 4, id="one caption an image"),
        pytest.param("paper", 5996, 29980, 50, id="the paper's, as asked for"),
        pytest.param("paper", 80, 400, 12, id="the paper's, a quarter of 48 steps"),
    ],
)
def test_few_images_warm_up_for_a_quarter_of_all_steps_at_most(preset, images, captions, warmup):
    settings = PRESETS[preset].train
    assert settings.fitting(images, captions) == replace(settings, warmup=warmup)

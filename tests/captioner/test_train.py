"""Training end to end on a world made on the spot."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from phrasebox.captioner import SpeechSettings, TrainSettings, Views
from phrasebox.captioner.generate import generate
from phrasebox.captioner.losses import Critic
from phrasebox.captioner.train import sameness, train
from phrasebox.errors import DataError, ModelError, SettingsError
from phrasebox.evaluate.caption_metrics import CiderD

QUICK = TrainSettings(
    min_count=1, epochs=10, reward_epochs=0, batch=8, patience=0, warmup=5, dropout=0.0, lr=2e-2, average=0.8,
    smoothing=0.0,
)  # fmt: skip


@pytest.mark.parametrize("kind", ["lstm"])
def test_it_learns_to_name_what_it_sees(kind, corpus, kinds):
    lessons = corpus(48, seed=0)
    settings = replace(QUICK, epochs=20, reward_epochs=1, reward_lr=1e-3)
    trained = train(lessons, corpus(12, seed=1), kinds[kind], settings)
    ciders = [epoch.cider for epoch in trained.history]
    assert max(ciders) > 3 * ciders[0] + 1
    assert trained.best == ciders.index(max(ciders))
    assert trained.history[-1].phase == "reward"
    assert trained.history[-1].reward > 1
    views = Views(lessons.regions, torch.arange(20), torch.ones(20, dtype=torch.int64)).to("cpu")
    repeatable = torch.from_numpy(trained.vocabulary.repeatable())
    said = generate(trained.model, views, SpeechSettings(method="greedy"), repeatable)
    texts = [trained.vocabulary.sentence(s[0].words) for s in said]
    truth = [lessons.texts[3 * i + 1] for i in range(20)]
    assert sum(a == b for a, b in zip(texts, truth, strict=True)) >= 15, "regions get phrases, and the right ones"


@pytest.mark.parametrize("stop", [1, 3], ids=["among words", "in the reward phase"])
def test_a_stopped_training_goes_on_to_the_same_weights(stop, corpus, tmp_path, kinds):
    lessons, watched = corpus(16, seed=0), corpus(6, seed=1)
    settings = replace(QUICK, epochs=2, reward_epochs=2, dropout=0.2)
    whole = train(lessons, watched, kinds["lstm"], settings, tmp_path / "whole")

    def interrupt(epoch):
        if epoch.epoch + 1 == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(lessons, watched, kinds["lstm"], settings, tmp_path / "cut", report=interrupt)
    resumed = train(lessons, watched, kinds["lstm"], settings, tmp_path / "cut")
    assert [e.cider for e in resumed.history] == [e.cider for e in whole.history]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_a_checkpoint_of_other_data_is_refused(corpus, tmp_path, kinds):
    settings = replace(QUICK, epochs=1)
    train(corpus(8, seed=0), None, kinds["lstm"], settings, tmp_path)
    with pytest.raises(ModelError, match="other settings or data; start it anew with --fresh"):
        train(corpus(8, seed=1), None, kinds["lstm"], settings, tmp_path)


def test_patience_ends_a_phase_and_training_goes_on_from_the_best(corpus, kinds):
    settings = replace(QUICK, epochs=30, patience=2, lr=1e-9, warmup=0, average=0.0, reward_epochs=4, reward_lr=1e-9)
    history = train(corpus(8, seed=0), corpus(4, seed=1), kinds["lstm"], settings).history
    assert [epoch.phase for epoch in history] == ["words"] * 3 + ["reward"] * 2


def test_a_loss_that_is_no_number_stops_with_a_remedy(corpus, kinds):
    broken = corpus(8, seed=0)
    broken.regions.vectors[:] = torch.nan
    with pytest.raises(ModelError, match="use a smaller learning rate"):
        train(broken, None, kinds["lstm"], replace(QUICK, epochs=1))


def test_without_validation_the_last_epoch_is_kept(corpus, kinds):
    trained = train(corpus(8, seed=0), None, kinds["gru"], replace(QUICK, epochs=2))
    assert trained.best == 1
    assert math.isnan(trained.history[0].cider)


def test_nothing_to_learn_from(corpus, kinds):
    with pytest.raises(DataError, match="no training image"):
        train(corpus(0, seed=0), None, kinds["lstm"], QUICK)
    with pytest.raises(DataError, match="lower --min-count"):
        train(corpus(2, seed=0), None, kinds["lstm"], replace(QUICK, min_count=99))


def test_one_sentence_for_every_image_is_noticed():
    assert "'a dog' of 3 among 4 images" in sameness(["a dog", "a dog", "a cat", "a dog"])
    assert sameness(["a dog", "a cat"]) == ""


def test_the_critic_punishes_a_sentence_that_breaks_off(corpus):
    lessons = corpus(8, seed=0, data="images")
    vocabulary = lessons.vocabulary(1)
    critic = Critic(vocabulary, lessons.references())
    whole = [*vocabulary.encode(lessons.texts[0]).tolist(), 0]
    cut = [*whole[:-2], 0, 0]
    good, bad = critic.scores([0, 0], torch.tensor([whole, cut])).tolist()
    assert good > bad > 0
    assert 0 in critic
    assert 99 not in critic


def test_the_rarest_words_weigh_most():
    scorer = CiderD([[("a", "dog")], [("a", "cat")], [("a", "cat")]])
    assert scorer.score(0, ("dog", "x")) > scorer.score(1, ("cat", "x")) > scorer.score(0, ("a", "x")) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": "nothing"}, "must be one of both, images, regions"),
        ({"data": "regions", "reward_epochs": 2}, "needs images with whole captions"),
        ({"dropout": 1.0}, "dropout must be below 1, got 1.0"),
        ({"epochs": 0, "reward_epochs": 0}, "train for at least one"),
        ({"lr": 0}, "lr must be above 0, got 0"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(SettingsError, match=message):
        TrainSettings(**settings)

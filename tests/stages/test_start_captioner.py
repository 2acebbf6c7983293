"""What the training of a captioner starts from, and that it never ends worse than it began."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from phrasebox.captioner import Captioner, ModelSettings, TrainSettings
from phrasebox.captioner.train import Judge
from phrasebox.io import sample
from phrasebox.stages import start_captioner
from phrasebox.stages.caption import load_corpus
from phrasebox.stages.reproduce import reproduce
from phrasebox.workspace.workspace import Workspace

from .conftest import SMALL as REGIONS

MODEL = ModelSettings(dim=16, embed=16)
SMALL = ("--dim", "16", "--embed", "16", "--data", "images", "--min-count", "1", "--batch", "2")
QUICK = (*SMALL, "--epochs", "2", "--reward-epochs", "0")


@pytest.fixture(scope="module")
def begun(stages, tmp_path_factory):
    """A captioner of the regions of the tests that lacks some of their words."""
    from phrasebox.captioner import SpeechSettings
    from phrasebox.stages.caption import caption

    ws = Workspace(Path(shutil.copytree(stages / "regions", tmp_path_factory.mktemp("begun") / "ws")))
    settings = TrainSettings(data="images", epochs=2, reward_epochs=0, batch=2, min_count=2)
    return caption(ws, MODEL, settings, SpeechSettings(), "begun", start="nothing").folder


@pytest.fixture
def built_in(begun, monkeypatch):
    """That captioner in place of the built-in one."""
    monkeypatch.setattr(Captioner, "built_in", begun)
    return begun


def cider(ws, captioner):
    corpus = load_corpus(Workspace(ws), "val", TrainSettings(data="images", reward_epochs=0))
    return Judge(corpus)(captioner.model, captioner.vocabulary)[0]


def test_the_built_in_captioner_learns_the_words_and_is_never_worse(at, call, built_in):
    ws, before = at("regions"), Captioner.load(built_in)
    done = call("caption", ws, *QUICK)
    assert "start: built-in, " in done.err
    assert "kept: " in done.err
    after = Captioner.load(ws / "models/captioner")
    assert after.vocabulary.terms[: len(before.vocabulary.terms)] == before.vocabulary.terms
    assert len(after.vocabulary) - len(before.vocabulary) == after.about["start"]["new_words"] > 0
    assert after.about["validation"] >= after.about["start"]["validation"]
    assert cider(ws, after) == pytest.approx(after.about["validation"], abs=0.02)
    run = Workspace(ws).runs[-1]
    assert (run.arguments["start"], run.arguments["start_id"]) == ("built-in", after.about["start"]["id"])
    assert "(0 new)" in call("caption", ws, *QUICK).out


def test_the_start_is_kept_where_nothing_is_better(at, begun, monkeypatch):
    ws = Workspace(at("regions"))
    corpus = load_corpus(ws, "val", TrainSettings(data="images", reward_epochs=0))
    found = start_captioner.start_captioner(ws, begun, MODEL, ws.models / "x", Captioner.load(begun).vocabulary, corpus)
    worse = replace(found, cider=9.0)
    network = found.begin.model
    trained = type("T", (), {"model": network, "vocabulary": found.begin.vocabulary, "best": 0, "history": [Epoch()]})
    lines = []
    found = start_captioner.kept(worse, trained, corpus, lines.append)
    assert (found.model, found.epoch.cider, found.share) == (network, 9.0, 0.0)
    assert "the start, as nothing better" in lines[0]
    found = start_captioner.kept(None, trained, corpus)
    assert (found.model, found.epoch, found.share) == (network, trained.history[0], 1.0)


def Epoch():  # noqa: N802
    from phrasebox.captioner import CaptionEpoch

    return CaptionEpoch(epoch=0, epochs=1, phase="words", loss=1.0, lr=0.1, seconds=1.0, cider=0.1)


@pytest.mark.parametrize(
    ("options", "why"),
    [(("--heads", "2"), "heads=2 (model: 4)"), (("--decoder", "gru"), "decoder='gru' (model: 'lstm')")],
)
def test_nothing_where_other_settings_are_asked_for(options, why, at, call, built_in):
    ws = at("regions")
    done = call("caption", ws, *QUICK, *options)
    assert f"training starts from nothing, as the built-in model does not fit: {why}" in done.err
    assert Workspace(ws).runs[-1].arguments["start"] == "nothing"
    refused = call("caption", ws, *QUICK, *options, "--name", "other", "--start", built_in)
    assert (refused.code, f"{why}; use --start nothing" in refused.err) == (1, True)


def test_nothing_where_no_caption_is_english(at, call, built_in, karpathy):
    chinese = {name: ["一个女孩在草地上跑"] * 2 for name in sample.CAPTIONS}
    ws = at("regions").with_name("chinese")
    assert call("import", karpathy(chinese), ws, "--quiet").code == 0
    assert call("regions", ws, *REGIONS, "--quiet").code == 0
    done = call("caption", ws, *QUICK)
    assert "training starts from nothing, as the built-in model speaks English, not Chinese" in done.err
    own = Captioner.load(ws / "models/captioner").vocabulary
    assert not any(term.isascii() for term in own.terms)
    assert own.sentence(own.encode("女孩在跑")) == "女孩在跑"


def test_the_model_that_is_trained_is_refused(at, call, begun):
    ws = at("regions")
    assert call("caption", ws, *QUICK, "--start", begun, "--quiet").code == 0
    refused = call("caption", ws, *QUICK, "--start", ws / "models/captioner", "--fresh", "--quiet").reason
    assert "give the new one another --name" in refused


def test_a_model_of_the_workspace_is_reproduced(at, call, tmp_path):
    ws = at("regions")
    assert call("caption", ws, *QUICK, "--name", "one", "--start", "nothing", "--quiet").code == 0
    assert call("caption", ws, *QUICK, "--start", ws / "models/one", "--quiet").code == 0
    assert Captioner.load(ws / "models/captioner").about["start"]["model"] == "models/one"
    steps = reproduce(Workspace(ws), tmp_path / "again")
    assert ("--start", str(tmp_path / "again" / "models/one")) == steps[-1].command[-2:]
    assert "nothing" in steps[-2].command


def test_without_a_val_split_half_of_the_way(at, begun):
    ws = Workspace(at("regions"))
    corpus = load_corpus(ws, "val", TrainSettings(data="images", reward_epochs=0))
    found = start_captioner.start_captioner(ws, begun, MODEL, ws.models / "x", Captioner.load(begun).vocabulary, corpus)
    end = type(found.begin.model)(MODEL_OF(found), len(found.begin.vocabulary))
    trained = type("T", (), {"model": end, "vocabulary": found.begin.vocabulary, "best": 0, "history": [Epoch()]})
    kept = start_captioner.kept(found, trained, load_nothing(corpus))
    assert kept.share == 0.5
    torch.testing.assert_close(kept.model.bias, (end.bias + found.begin.model.bias) / 2)


def MODEL_OF(found):  # noqa: N802
    return found.begin.model.settings


def load_nothing(corpus):
    """A corpus without images."""
    return replace(corpus, regions=corpus.regions[torch.zeros(0, dtype=torch.int64)], texts=[])

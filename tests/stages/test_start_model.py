"""What a training starts from: the built-in model, another one, or nothing."""

from __future__ import annotations

import shutil

import pytest
import torch

from phrasebox.aligner import Aligner, AlignerModel, ModelSettings, TrainSettings
from phrasebox.aligner.train import recalls
from phrasebox.stages.align import align
from phrasebox.stages.reproduce import reproduce
from phrasebox.stages.training_data import load_pairs
from phrasebox.training.interpolation import USUAL, interpolated
from phrasebox.workspace.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")
QUICK = ("--epochs", "2", "--batch", "2", "--dim", "16", "--hidden", "16")
MODEL, TRAIN = ModelSettings(dim=16, hidden=16), TrainSettings(epochs=2, batch=2)
FILES = ("config.json", "model.safetensors", "bank.safetensors", "vocabulary.txt", "README.md")


@pytest.fixture
def built_in(model, monkeypatch):
    """The folder of a model that fits the regions of the tests, in place of the built-in one."""
    monkeypatch.setattr(Aligner, "built_in", model)
    return model


def saved(ws, name="aligner"):
    folder = ws / "models" / name  # without a vocabulary where the start has none
    return {file: (folder / file).read_bytes() for file in FILES if (folder / file).exists()}


def score(ws, aligner):
    forth, back = recalls(aligner.model, load_pairs(Workspace(ws), aligner.words, "val", quiet=True))
    return sum(forth + back)


def test_the_built_in_model_where_it_fits(at, call, built_in):
    ws = at("regions")
    done = call("align", ws, *QUICK)
    assert "start: built-in, val R@1 " in done.err
    assert "kept: " in done.err
    assert "--views" not in done.err, "which is of little use to a training that starts from a model"
    before, after = Aligner.load(built_in), Aligner.load(ws / "models/aligner")
    assert after.about["start"]["model"] == "built-in"
    assert after.about["start"]["validation"].keys() == after.about["validation"].keys()
    assert score(ws, after) >= score(ws, before)
    torch.testing.assert_close(after.model.standard, before.model.standard)
    assert "* Started from: built-in (" in (ws / "models/aligner/README.md").read_text()
    run = Workspace(ws).runs[-1]
    assert (run.arguments["start"], run.arguments["start_id"]) == ("built-in", after.about["start"]["id"])


@pytest.mark.parametrize(
    ("options", "why"),
    [(("--encoder", "gru"), "encoder='gru' (model: 'mlp')"), (("--preset", "paper"), "dim=256 (model: 16)")],
)
def test_nothing_where_other_settings_are_asked_for(options, why, at, call, built_in):
    ws = at("regions")
    given = QUICK if "gru" in options else ("--epochs", "1", "--batch", "2")
    done = call("align", ws, *given, *options)
    assert done.code == 0
    assert "training starts from nothing, as the built-in model does not fit: " in done.err
    assert why in done.err
    assert "start" not in Aligner.load(ws / "models/aligner").about


def test_nothing_where_the_regions_are_others(at, call):
    ws = at("regions")
    told = call("align", ws, *QUICK).err
    assert "training starts from nothing, as the built-in model does not fit: " in told
    advice = f"phrasebox regions {ws} --views 2"
    assert f"are few for a training from nothing; it learns more from them with views: {advice}" in told
    assert "backbone='efficientnet-lite0' (model: 'efficientnet-lite2')" in told


def test_what_weights_do_not_depend_on_may_differ(at, call, built_in):
    ws = at("regions")
    assert call("align", ws, *QUICK, "--no-photographs", "--prior", "0.25").code == 0
    after = Aligner.load(ws / "models/aligner")
    assert (after.model.settings.photographs, after.model.settings.prior) == (False, 0.25)
    assert after.about["start"]["model"] == "built-in"


def test_nothing_is_as_if_there_were_no_model_to_start_from(at, call, model, monkeypatch):
    ws = at("regions")
    assert call("align", ws, *QUICK, "--name", "one", "--quiet").code == 0  # the built-in one does not fit
    monkeypatch.setattr(Aligner, "built_in", model)
    assert call("align", ws, *QUICK, "--start", "nothing", "--quiet").code == 0
    assert saved(ws) == saved(ws, "one")


def test_a_model_of_the_workspace_and_again(call, stages, tmp_path):
    ws, again = tmp_path / "ws", tmp_path / "again"
    shutil.copytree(stages / "regions", ws)
    assert call("align", ws, *QUICK, "--name", "one", "--quiet").code == 0
    assert call("align", ws, *QUICK, "--start", ws / "models/one", "--lr", "0.02", "--quiet").code == 0
    assert Aligner.load(ws / "models/aligner").about["start"]["model"] == "models/one"
    steps = reproduce(Workspace(ws), again)
    assert [step.notes for step in steps] == [()] * len(steps)
    assert ("--start", str(again / "models/one")) == steps[-1].command[-2:]
    for step in steps:
        assert call(*step.command[1:], "--quiet").code == 0
    assert saved(again) == saved(ws)


def test_stopped_after_an_epoch_it_ends_with_the_same_bytes(at, built_in):
    ws = at("regions")
    align(Workspace(ws), MODEL, TRAIN, "whole", quiet=True)

    def stop(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        align(Workspace(ws), MODEL, TRAIN, "stopped", quiet=True, report=stop)
    assert align(Workspace(ws), MODEL, TRAIN, "stopped", quiet=True).new == 1
    assert saved(ws, "stopped") == saved(ws, "whole")
    assert align(Workspace(ws), MODEL, TRAIN, "stopped", quiet=True).new == 0
    assert saved(ws, "stopped") == saved(ws, "whole")


def test_what_does_not_fit_is_refused_where_it_was_asked_for(at, call, model):
    def refused(*given):
        return call("align", *given, "--quiet").reason

    ws = at("regions")
    assert "dim=8 (model: 16), hidden=1024 (model: 16); use --start nothing" in refused(
        ws, "--dim", "8", "--start", model
    )
    assert "backbone='efficientnet-lite0'" in refused(ws, *QUICK, "--start", "built-in")
    assert "no model folder" in refused(ws, *QUICK, "--start", ws / "models/gone")


def test_the_model_that_is_trained_is_refused(at, call):
    ws = at("regions")
    assert call("align", ws, *QUICK, "--quiet").code == 0
    before = saved(ws)
    refused = call("align", ws, *QUICK, "--fresh", "--start", ws / "models/aligner", "--quiet").reason
    assert "give the new one another --name" in refused
    assert saved(ws) == before


def test_another_start_needs_fresh(at, call, built_in):
    ws = at("regions")
    assert call("align", ws, *QUICK, "--quiet").code == 0
    assert "--fresh" in call("align", ws, *QUICK, "--start", "nothing", "--quiet").reason


def test_without_a_val_split_half_of_the_way(karpathy, call, model, tmp_path):
    ws = tmp_path / "ws"
    assert call("import", karpathy(), ws, "--split", "train", "--quiet").code == 0
    assert call("regions", ws, *SMALL, "--quiet").code == 0
    done = call("align", ws, *QUICK, "--start", model)
    assert "start: " in done.err
    assert f"kept: {USUAL:g} of the trained weights" in done.err
    assert "validation" not in Aligner.load(ws / "models/aligner").about["start"]


def test_a_start_that_changed_is_noted(at, call, tmp_path, model):
    ws, other = at("regions"), tmp_path / "other"
    shutil.copytree(model, other)
    assert call("align", ws, *QUICK, "--start", other, "--quiet").code == 0
    assert reproduce(Workspace(ws))[-1].notes == ()
    start = Aligner.load(other)
    torch.manual_seed(1)
    start.model = interpolated(start.model, AlignerModel(start.model.settings), 0.5)
    start.save(other)
    assert reproduce(Workspace(ws))[-1].notes == (f"{other}, from which it was trained, has changed since",)
    shutil.rmtree(other)
    assert reproduce(Workspace(ws))[-1].notes == (f"{other}, from which it was trained, no longer exists",)

"""What `phrasebox caption` leaves, what it learns from, and that a stopped training ends as one that was not."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module

import pytest

from phrasebox.captioner import Captioner, ModelSettings, SpeechSettings, TrainSettings
from phrasebox.stages.caption import caption
from phrasebox.workspace.workspace import Workspace

QUICK = ("--epochs", "2", "--reward-epochs", "1", "--batch", "2", "--dim", "16", "--min-count", "1")
FILES = ("model.safetensors", "config.json", "README.md")


def saved(ws, name="captioner"):
    return {file: (ws / "models" / name / file).read_bytes() for file in FILES}


def test_a_model_with_its_history_and_a_second_time(at, call):
    ws = at("ground")
    first = call("caption", ws, *QUICK, "--min-confidence", "0", "--json")
    assert (first.code, first.err) == (0, "")
    assert (first.json["epochs"], first.json["new_epochs"]) == (3, 3)
    assert first.json["ingredients"].startswith("6 pairs became ")
    before = saved(ws)
    captioner = Captioner.load(ws / "models/captioner")
    assert captioner.about["ingredients"] == first.json["ingredients"]
    assert "astronaut" in captioner.vocabulary.terms
    assert "motorbike" not in captioner.vocabulary.terms, "the words of val are not known"
    history = json.loads((ws / "models/captioner/history.json").read_text())
    assert [epoch["phase"] for epoch in history] == ["words", "words", "reward"]
    assert (ws / "models/captioner/curves.png").stat().st_size > 1000
    assert "(0 new)" in call("caption", ws, *QUICK, "--min-confidence", "0").out
    assert saved(ws) == before
    assert Workspace(ws).runs[-1].makes == "models/captioner"


def test_what_went_in_and_every_epoch_are_told(at, call):
    lines = call("caption", at("regions"), *QUICK, "--data", "images").err.splitlines()
    told = [line for line in lines if "pairs became" in line or line.startswith("epoch")]
    assert told[0] == "6 pairs became 6: 6 captions and 0 region phrases of 3 images"
    assert [line.split(",")[0] for line in told[1:]] == ["epoch 1 of 3", "epoch 2 of 3", "epoch 3 of 3"]
    assert ["training CIDEr-D" in line for line in told[1:]] == [False, False, True]
    assert "CIDEr-D" in told[-1]


def test_stopped_after_an_epoch_it_ends_with_the_same_bytes(at):
    ws, model = at("regions"), ModelSettings(dim=16, embed=16)
    settings = TrainSettings(data="images", epochs=2, reward_epochs=0, batch=2, min_count=1)
    caption(Workspace(ws), model, settings, SpeechSettings(), "whole")

    def stop(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        caption(Workspace(ws), model, settings, SpeechSettings(), "stopped", report=stop)
    assert not (ws / "models/stopped/config.json").exists()
    assert caption(Workspace(ws), model, settings, SpeechSettings(), "stopped").new == 1
    assert saved(ws, "stopped") == saved(ws, "whole")


@pytest.mark.parametrize(
    ("stage", "options", "reason"),
    [
        ("imported", (), "has no regions yet; run: phrasebox regions"),
        ("regions", (), "has no region phrases to learn from; run: phrasebox ground"),
        ("regions", ("--data", "images", "--min-count", "50"), "lower --min-count"),
        ("regions", ("--data", "images", "--name", "a/b"), "is a path; give the name of a folder"),
        ("regions", ("--data", "regions", "--reward-epochs", "1"), "needs images with whole captions"),
        ("regions", ("--data", "images", "--dim", "15"), "must be a multiple of heads"),
    ],
)
def test_what_stops_it(stage, options, reason, at, call):
    assert reason in call("caption", at(stage), *options, "--quiet").reason


def test_other_settings_need_fresh(at, call):
    ws = at("regions")
    assert call("caption", ws, *QUICK, "--data", "images", "--quiet").code == 0
    other = (*QUICK, "--data", "images", "--seed", "1")
    assert "start it anew with --fresh" in call("caption", ws, *other, "--quiet").reason
    assert call("caption", ws, *other, "--fresh", "--quiet").code == 0


def test_captions_and_regions_are_measured(at, call, data, model, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)  # METEOR's Java program takes many seconds to start
    # A model that was hardly trained finds everything everywhere; sharper votes give it parts.
    heatmap = import_module("phrasebox.grounding.heatmap")
    monkeypatch.setattr(heatmap, "STRADDLING", replace(heatmap.STRADDLING, sharpness=100.0))
    ws = at("regions")
    assert call("ground", ws, "--model", model, "--quiet").code == 0
    assert call("import", data / "entities", ws, "--images", data / "images", "--quiet").code == 0
    assert call("caption", ws, *QUICK, "--min-confidence", "0", "--quiet").code == 0
    images_alone = ("--data", "images", "--name", "captioner-images")
    assert call("caption", ws, *QUICK, *images_alone, "--quiet").code == 0
    done = call("evaluate", ws, "--split", "val", "--captions-only", "--json")
    whole, regions = done.json
    assert whole["protocol"].startswith("captions")
    assert "METEOR n/a: install phrasebox[caption-metrics] and Java" in whole["protocol"]
    names = ["generator", "generator of full images alone", "nearest neighbour"]
    assert [row["method"] for row in whole["rows"]] == names
    assert whole["rows"][0]["images"] == 2
    assert [row["method"] for row in regions["rows"]] == names
    assert regions["rows"][0]["regions"] == 2
    assert json.loads((ws / "results/val-captions.json").read_text()) == done.json


def test_a_captioner_of_other_regions_is_refused(at, call):
    ws = at("regions")
    assert call("caption", ws, *QUICK, "--data", "images", "--quiet").code == 0
    assert call("regions", ws, "--backbone", "efficientnet-lite0", "--size", "64", "--fresh", "--quiet").code == 0
    reason = call("evaluate", ws, "--captions-only").reason
    assert "do not fit the captioner: " in reason
    assert "size=64 (model: 96)" in reason


def test_no_captioner_to_measure(at, call, monkeypatch, tmp_path):
    monkeypatch.setattr("phrasebox.captioner.Captioner.built_in", tmp_path / "absent")
    reason = call("evaluate", at("regions"), "--captions-only").reason
    assert "there is no captioner to measure; train one with: phrasebox caption" in reason

"""What `phrasebox align` leaves, and that a stopped training ends as one that was not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from phrasebox.aligner import Aligner, ModelSettings, TrainSettings
from phrasebox.errors import ModelError
from phrasebox.stages.align import align
from phrasebox.workspace.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")

QUICK = ("--epochs", "2", "--batch", "2", "--dim", "16")
FILES = ("model.safetensors", "config.json", "vocabulary.txt", "README.md")


def saved(ws, name="aligner"):
    return {file: (ws / "models" / name / file).read_bytes() for file in FILES}


def test_a_model_with_its_history_and_a_second_time(at, call):
    ws = at("regions")
    first = call("align", ws, *QUICK, "--json")
    assert (first.code, first.err) == (0, "")
    assert (first.json["epochs"], first.json["new_epochs"]) == (2, 2)
    before = saved(ws)
    aligner = Aligner.for_workspace(Workspace(ws))
    assert (aligner.about["images"], aligner.about["captions"]) == (3, 6)
    assert aligner.beta == first.json["beta"]
    history = json.loads((ws / "models/aligner/history.json").read_text())
    assert [epoch["epoch"] for epoch in history] == [0, 1]
    assert (ws / "models/aligner/curves.png").stat().st_size > 1000
    assert "(0 new)" in call("align", ws, *QUICK).out
    assert saved(ws) == before


def test_epochs_are_told(at, call):
    lines = call("align", at("regions"), *QUICK).err.splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith("epoch")] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert " to images, loss " in lines[-1]


def test_stopped_after_an_epoch_it_ends_with_the_same_bytes(at, call):
    ws, model, settings = at("regions"), ModelSettings(dim=16), TrainSettings(epochs=2, batch=2)
    align(Workspace(ws), model, settings, "whole", quiet=True)

    def stop(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        align(Workspace(ws), model, settings, "stopped", quiet=True, report=stop)
    assert not (ws / "models/stopped/config.json").exists()
    assert align(Workspace(ws), model, settings, "stopped", quiet=True).new == 1
    assert saved(ws, "stopped") == saved(ws, "whole")


def test_other_settings_need_fresh(at, call):
    ws = at("regions")
    assert call("align", ws, *QUICK).code == 0
    refused = call("align", ws, *QUICK, "--lr", "0.1", "--quiet").reason
    assert "--fresh" in refused
    assert call("align", ws, *QUICK, "--lr", "0.1", "--fresh").code == 0


def test_fresh_keeps_the_old_model_where_no_other_can_be_made(at, call):
    ws = at("regions")
    assert call("align", ws, *QUICK).code == 0
    before = saved(ws)
    Workspace(ws).drop("regions")
    assert "has no regions yet" in call("align", ws, *QUICK, "--fresh").reason
    assert saved(ws) == before


def test_without_a_val_split_there_are_no_recalls(karpathy, call, tmp_path):
    ws = tmp_path / "ws"
    assert call("import", karpathy(), ws, "--split", "train").code == 0
    assert (
        call(
            "regions",
            ws,
            *SMALL,
        ).code
        == 0
    )
    done = call("align", ws, *QUICK, "--json")
    assert done.json["best"]["image_to_sentence"] is None
    assert "NaN" not in (ws / "models/aligner/history.json").read_text() + saved(ws)["config.json"].decode()


def test_the_vocabulary_is_that_of_the_train_split(karpathy, call, tmp_path):
    captions = {"coffee.png": ["cup " * 5], "chelsea.png": ["cat " * 5], "rocket.jpg": ["rocket " * 5]}
    ws = tmp_path / "ws"
    assert call("import", karpathy(captions), ws).code == 0
    assert (
        call(
            "regions",
            ws,
            *SMALL,
        ).code
        == 0
    )
    assert call("align", ws, *QUICK).code == 0
    assert sorted(saved(ws)["vocabulary.txt"].split()) == [b"cat", b"cup"]


def test_vectors_of_another_width(at, call, stages):
    ws = Workspace(at("imported"))
    narrow = [replace(r, vectors=r.vectors[:, :40]) for b in Workspace(stages / "regions").regions() for r in b]
    ws.append_regions(narrow)
    ws.claim("regions", Workspace(stages / "regions").stages["regions"])
    assert call("align", ws.path, *QUICK).code == 0
    assert Aligner.load(ws.models / "aligner").model.settings.vector_dim == 40


@pytest.mark.parametrize("name", ["../outside", "..", "a/b", ""])
def test_a_model_stays_inside_the_workspace(at, call, name):
    assert "give the name of a folder" in call("align", at("regions"), *QUICK, "--name", name).reason


def test_a_train_split_without_words(karpathy, call, tmp_path):
    ws = tmp_path / "ws"
    assert call("import", karpathy({"coffee.png": ["..."], "chelsea.png": []}), ws).code == 0
    assert (
        call(
            "regions",
            ws,
            *SMALL,
        ).code
        == 0
    )
    assert "train split has captions and regions" in call("align", ws, *QUICK).reason


def test_a_model_of_other_regions_is_refused(at, call, model):
    ws = at("imported")
    assert call("regions", ws, *["--backbone", "efficientnet-lite0", "--size", "64"]).code == 0
    with pytest.raises(ModelError, match=r"size=64 \(model: 96\)"):
        Aligner.for_workspace(Workspace(ws), model)
    assert f"phrasebox regions {ws} --fresh" in call("ground", ws, "--model", model).reason

"""The commands that a workspace prints make it again."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from phrasebox.aligner import PRESETS, Aligner
from phrasebox.cli import app
from phrasebox.regions.settings import REGION_PRESETS, RegionSettings
from phrasebox.stages.reproduce import reproduce
from phrasebox.training.execution import Execution
from phrasebox.workspace.lance_tables import Tables
from phrasebox.workspace.run_log import Run
from phrasebox.workspace.workspace import TABLES, Workspace

QUICK = ("--epochs", "2", "--batch", "2", "--dim", "16")
SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")
FILES = ("config.json", "model.safetensors", "bank.safetensors", "vocabulary.txt")


def content(ws):
    """All rows of all tables, and the bytes of the model."""
    rows = {}
    for name in TABLES:
        if table := Tables(ws).open(name):
            rows[name] = table.to_arrow().to_pylist()
    folder = ws / "models" / "aligner"
    return rows, {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def commands(call, ws, *options):
    done = call("reproduce", ws, *options, "--json")
    assert (done.code, done.err) == (0, "")
    return [step["command"] for step in done.json["steps"]], [n for step in done.json["steps"] for n in step["notes"]]


def test_the_commands_make_the_same_bytes_whatever_the_workers(data, call, tmp_path):
    ws, again = tmp_path / "ws", tmp_path / "a new one"
    for command in (
        ["import", data / "captions.json", ws, "--licence", "CC0"],
        ["import", data / "entities", ws, "--images", data / "images"],
        ["regions", ws, *SMALL],
        ["align", ws, *QUICK, "--seed", "3"],
        ["ground", ws, "--beta", "0.07"],
        ["ground", ws, "--beta", "0.07"],
    ):
        assert call(*command, "--quiet", "--workers", 1).code == 0
    made, notes = commands(call, ws, "--into", again)
    assert notes == []
    assert [command[1] for command in made] == ["import", "import", "regions", "align", "ground"]
    for command in made:
        done = call(*command[1:], "--quiet", "--workers", 3)
        assert (done.code, done.err) == (0, "")
    assert content(again) == content(ws)
    assert commands(call, again)[0] == made


def test_images_that_come_later_stay_later(data, photographs, karpathy, model, call, tmp_path):
    ws = tmp_path / "ws"
    (photographs / "coffee.txt").write_text("A cup .")
    for command in (
        ["import", photographs, ws, "--format", "folder"],
        ["regions", ws, *SMALL],
        ["ground", ws, "--model", model],
        ["import", data / "captions.json", ws],
        ["regions", ws, *SMALL],
        ["ground", ws, "--model", model],
    ):
        assert call(*command, "--quiet").code == 0
    made, _ = commands(call, ws)
    # The captions are of pictures that are there already: nothing was added, so nothing has to be repeated.
    assert [command[1] for command in made] == ["import", "regions", "ground"]
    assert made[2][-2:] == ["--model", str(model)]


class TestNotes:
    def test_what_cannot_be_repeated_is_said(self, karpathy, call, tmp_path):
        source, ws = karpathy(), tmp_path / "ws"
        call("import", source, ws, "--quiet")
        source.write_text(source.read_text() + "\n")
        assert commands(call, ws)[1] == [f"{source} has changed since"]
        source.unlink()
        assert commands(call, ws)[1] == [f"{source} no longer exists"]
        assert call("reproduce", ws).out.startswith(f"# {source} no longer exists\nphrasebox import ")

    def test_other_versions_and_a_stopped_run(self, tmp_path):
        ws = Workspace.create(tmp_path / "ws")
        run = Run("ground", {"model": "built-in", "beta": None}, {"beta": 0.1}, versions={"torch": "1.0"})
        ws._manifest.keep_runs([run])
        (step,) = reproduce(ws)
        assert any("stopped before its end" in note for note in step.notes)
        assert any("torch 1.0 (here" in note for note in step.notes)

    def test_a_model_that_is_gone(self, at, call):
        ws = at("regions")
        Aligner.load().save(ws / "models" / "other")
        Workspace(ws).made(Run("ground", {"model": "models/other"}))
        assert any("models/other no longer exists" in n for n in commands(call, ws)[1])

    def test_a_beta_of_zero_and_the_built_in_model(self, tmp_path):
        ws = Workspace.create(tmp_path / "ws")
        ws.made(Run("ground", {"model": "built-in", "beta": 0.0}))
        (step,) = reproduce(ws)
        assert step.command == ("phrasebox", "ground", str(ws.path), "--beta", "0.0", "--model", "built-in")
        assert step.notes == ()

    def test_a_workspace_inside_its_source_does_not_change_it(self, photographs, call, model):
        ws = photographs / "ws"
        assert call("import", photographs, ws, "--format", "folder", "--quiet").code == 0
        assert commands(call, ws)[1] == []

    def test_no_record(self, tmp_path, call):
        assert "has no record of its runs" in call("reproduce", Workspace.create(tmp_path / "ws").path).reason


REGION_CASES = [
    *REGION_PRESETS.values(),
    replace(REGION_PRESETS["paper"], regions=5, rank="proposer"),
    RegionSettings("grid", density=101, nms=0.5),
    RegionSettings("given", runtime="torch", pooling="crops"),
    RegionSettings(),
    RegionSettings(backbone="efficientnet-lite1", second="efficientnet-lite0"),
    RegionSettings("grid", second="efficientnet-lite1", second_size=96),
]


@pytest.mark.parametrize("settings", REGION_CASES)
def test_region_options_give_the_settings(settings, tmp_path, monkeypatch):
    ws = Workspace.create(tmp_path / "ws")
    ws.made(Run("regions", {"device": "cpu"}, asdict(settings)))
    (step,) = reproduce(ws)
    assert [n for n in step.notes if "no option" in n] == []
    asked = []
    monkeypatch.setattr(
        "phrasebox.stages.regions.make_regions", lambda ws, settings, *rest: asked.append(settings) or _Stop()
    )
    with pytest.raises(AttributeError):  # there are no counts to print
        app(list(step.command[1:]), result_action="return_value", exit_on_error=False)
    assert asked == [settings]


class _Stop:
    pass


@pytest.mark.parametrize("preset", PRESETS)
def test_align_options_give_the_settings(preset, tmp_path, monkeypatch):
    ws = Workspace.create(tmp_path / "ws")
    model = replace(PRESETS[preset].model, photographs=preset == "paper")  # the other way round
    train = replace(PRESETS[preset].train, epochs=3, lr=0.5, drop_regions=0.15, seed=4)
    stored = asdict(replace(model, vector_dim=7))
    execution = Execution(micro_batch=8, precision="bf16", compile=True) if preset == "paper" else Execution()
    finetune = 2 if preset == "modern" else 0
    arguments = {"name": "mine", "device": "cpu", "finetune": finetune, **execution.asked}
    run = Run("align", arguments, {"model": stored, "train": asdict(train)}, 4, "models/mine")
    ws.made(run)
    (step,) = reproduce(ws)
    assert [n for n in step.notes if "no option" in n] == []
    assert ("--photographs" if preset == "paper" else "--no-photographs") in step.command
    assert ("--drop-regions", "0.15") in zip(step.command, step.command[1:], strict=False)
    asked = []
    monkeypatch.setattr(
        "phrasebox.stages.align.align", lambda ws, *settings, **more: asked.append((*settings, more)) or _Stop()
    )
    with pytest.raises(AttributeError):
        app(list(step.command[1:]), result_action="return_value", exit_on_error=False)
    assert asked[0][:3] == (model, train, "mine")
    assert asked[0][-1] == {"execution": execution, "finetune": finetune, "workers": os.cpu_count()}


def test_settings_that_no_option_gives_are_noted(tmp_path):
    ws = Workspace.create(tmp_path / "ws")
    ws.made(Run("regions", {}, asdict(REGION_PRESETS["modern"]) | {"bins": 5, "gone": 7}))
    (step,) = reproduce(ws)
    assert step.command[3:] == ("--bins", "5")
    assert step.notes == ("gone=7 is not a setting of this version",)


def test_models_of_other_settings_have_the_same_bytes(data, call, tmp_path):
    ws, again = tmp_path / "ws", tmp_path / "again"
    for command in (
        ["import", data / "captions.json", ws],
        ["regions", ws, *SMALL, "--bins", "2"],
        ["align", ws, "--preset", "paper", "--epochs", "2", "--batch", "2", "--dim", "16", "--encoder", "gru",
         "--margin", "0.5", "--geometry", "--warmup", "3", "--clip", "0.5", "--name", "other", "--seed", "2"],
        ["caption", ws, "--preset", "paper", "--decoder", "gru", "--epochs", "3", "--data", "images", "--dim", "16",
         "--embed", "12", "--image", "every", "--min-count", "1", "--batch", "3", "--dropout", "0.2", "--beam", "4",
         "--max-length", "7", "--no-geometry", "--seed", "5", "--name", "speaker"],
    ):  # fmt: skip
        done = call(*command, "--quiet")
        assert (done.code, done.err) == (0, "")
    made, notes = commands(call, ws, "--into", again)
    assert notes == []
    for command in made:
        done = call(*command[1:], "--quiet")
        assert (done.code, done.err) == (0, "")
    for file in ("other/model.safetensors", "speaker/model.safetensors", "speaker/config.json"):
        assert (again / "models" / file).read_bytes() == (ws / "models" / file).read_bytes()
    assert all(run.argv for run in Workspace(ws).runs)
    assert Workspace(ws).runs[-1].argv[0] == "caption"


def test_names_with_spaces_are_quoted(data, call, tmp_path):
    source = Path(tmp_path / "my captions.json")
    source.write_bytes((data / "captions.json").read_bytes())
    call("import", source, tmp_path / "ws", "--images", data / "images", "--quiet")
    assert f"'{source}'" in call("reproduce", tmp_path / "ws").out

"""The commands that a workspace prints make it again."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from phrasebox.aligner import PRESETS, Aligner
from phrasebox.cli import app
from phrasebox.errors import WorkspaceError
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
        ["regions", ws, *SMALL, "--views", "1"],
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
    # The captions were added to pictures that were there already: their phrases are found again, their regions stay.
    assert [command[1] for command in made] == ["import", "regions", "ground", "import", "ground"]
    assert made[2][-2:] == made[4][-2:] == ["--model", str(model)]


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

    @pytest.mark.parametrize(
        ("given", "options"), [({}, ["--verbs"]), ({"verbs": True}, ["--verbs"]), ({"verbs": False}, [])]
    )
    def test_versions_without_noun_phrases_kept_verbs(self, tmp_path, given, options):
        ws = Workspace.create(tmp_path / "ws")
        ws.made(Run("ground", {"model": "built-in", **given}))
        (step,) = reproduce(ws)
        assert [word for word in step.command if "verbs" in word] == options

    def test_a_beta_of_zero_and_the_built_in_model(self, tmp_path):
        ws = Workspace.create(tmp_path / "ws")
        ws.made(Run("ground", {"model": "built-in", "beta": 0.0}))
        (step,) = reproduce(ws)
        assert step.command == ("phrasebox", "ground", str(ws.path), "--beta", "0.0", "--model", "built-in", "--verbs")
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
    RegionSettings("selective_search", backbone="efficientnet-lite1", second="efficientnet-lite0", rank="contrast"),
    RegionSettings(backbone="efficientnet-lite1", objectness="ws/models/proposer"),
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
    arguments = {"name": "mine", "device": "cpu", "finetune": finetune, "no_val": True, **execution.asked}
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
    more = {name: value for name, value in asked[0][-1].items() if name != "told"}
    assert more == {
        "execution": execution,
        "finetune": finetune,
        "workers": os.cpu_count(),
        "no_val": True,
        "start": "nothing",
    }


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
    assert files_of(again / "models") == files_of(ws / "models")
    assert all(run.argv for run in Workspace(ws).runs)
    assert Workspace(ws).runs[-1].argv[0] == "caption"


def files_of(models):
    """The bytes of the files that a model is."""
    return {path.relative_to(models): path.read_bytes() for path in models.rglob("*") if path.name in FILES}


def test_fine_tuned_models_and_their_regions_have_the_same_bytes(data, call, tmp_path):
    ws, again, mine = tmp_path / "ws", tmp_path / "again", tmp_path / "mine.toml"
    mine.write_text("[align]\nepochs = 1\nbatch = 2\ndim = 16\nphotographs = false\nencoder = 'gru'\n")
    for command in (
        ["import", data / "captions.json", ws],
        ["regions", ws, *SMALL],
        ["align", ws, "--config", mine, "--finetune", "1"],
        ["regions", ws, "--like", ws / "models" / "aligner", "--fresh"],
    ):
        assert call(*command, "--quiet").code == 0
    mine.unlink()
    made, notes = commands(call, ws, "--into", again)
    assert notes == []
    assert [command[1] for command in made] == ["import", "regions", "align", "regions"]
    assert {"--no-photographs", "--finetune"} <= set(made[2])
    for command in made:
        assert call(*command[1:], "--quiet").code == 0
    assert files_of(again / "models") == files_of(ws / "models")
    assert content(again) == content(ws)
    assert {path.name for path in files_of(ws / "models")} >= {"config.json", "model.safetensors", "bank.safetensors"}


def test_what_led_to_a_model_stays_recorded_while_the_regions_depend_on_it(tmp_path):
    ws = Workspace.create(tmp_path / "ws")
    modern = asdict(REGION_PRESETS["modern"])
    tuned = modern | {"backbone": str(ws.models / "tuned" / "networks" / "one"), "second": ""}
    first, again = Run("regions", {}, modern, finished=True), Run("regions", {}, tuned, finished=True)
    model = Run("align", {"name": "tuned"}, {}, 0, "models/tuned", finished=True)
    ws._manifest.keep_runs([first, model, again, replace(model, makes="models/later")])
    ws.claim("regions", tuned, fresh=True)
    assert [(run.stage, run.makes) for run in ws.runs] == [("regions", ""), ("align", "models/tuned")]
    ws._manifest.keep_runs([*ws.runs, again])
    steps = reproduce(ws, tmp_path / "new")
    assert [(step.command[1], "--fresh" in step.command) for step in steps] == [
        ("regions", False),
        ("align", False),
        ("regions", True),
    ]
    assert str(tmp_path / "new" / "models" / "tuned" / "networks" / "one") in steps[-1].command
    assert [step.notes for step in steps] == [(), (), ()]
    ws.claim("regions", modern, fresh=True)
    assert ws.runs == []


def test_regions_of_a_model_that_is_not_recorded_are_noted(tmp_path):
    ws = Workspace.create(tmp_path / "ws")
    backbone = str(ws.models / "gone" / "networks" / "one")
    ws.made(Run("regions", {}, asdict(REGION_PRESETS["modern"]) | {"backbone": backbone}))
    (step,) = reproduce(ws)
    assert step.notes == ("its models/gone no longer exists, or was trained again since",)


@pytest.mark.parametrize(
    ("stage", "settings", "gone"),
    [
        ("caption", {"model": {"decoder": "transformer", "layers": 2}}, ["decoder='transformer'", "layers=2"]),
        ("align", {"train": {"objective": "margin-annealed"}}, ["objective='margin-annealed'"]),
    ],
)
def test_values_of_0_1_that_were_removed_are_noted(stage, settings, gone, tmp_path):
    ws = Workspace.create(tmp_path / "ws")
    ws.made(Run(stage, {"name": "mine"}, settings, 0, "models/mine"))
    (step,) = reproduce(ws)
    assert step.command == ("phrasebox", stage, str(ws.path), "--start", "nothing", "--name", "mine")
    assert step.notes == tuple(f"{one} was removed; this version cannot train that model" for one in gone)


def test_everything_in_one_command_is_made_again(data, call, tmp_path, monkeypatch):
    small = RegionSettings("grid", 27, "efficientnet-lite0", 96, density=27, nms=1.0, rank="proposer")
    monkeypatch.setitem(REGION_PRESETS, "modern", small)
    ws, again = tmp_path / "ws", tmp_path / "again"
    assert call("run", data / "captions.json", ws, "--train", "--quiet").code == 0
    made, notes = commands(call, ws, "--into", again)
    assert notes == []
    assert [command[1] for command in made] == ["import", "regions", "align", "ground"] + 3 * ["export"]
    for command in made:
        assert call(*command[1:], "--quiet").code == 0
    assert content(again) == content(ws)
    for name in ("odvg.jsonl", "coco.json"):
        assert (again / "out" / name).read_bytes() == (ws / "out" / name).read_bytes()
    assert {run.argv[0] for run in Workspace(ws).runs} == {"run"}


class TestWhatIsWrittenOutside:
    def test_an_export_is_recorded_with_its_options(self, at, call, tmp_path):
        ws, out = at("ground"), tmp_path / "pairs.jsonl"
        for more in (["--split", "train"], ["--parts-only", "--min-confidence", "0.01"]):
            assert call("export", ws, out, "--format", "odvg", *more, "--quiet").code == 0
        (last,) = [command for command in commands(call, ws)[0] if command[1] == "export"]
        options = ["--format", "odvg", "--min-confidence", "0.01", "--parts-only"]
        assert last == ["phrasebox", "export", str(ws), str(out), *options]

    def test_a_hub_folder(self, at, call, model, tmp_path):
        ws, folder = at("ground"), tmp_path / "hub"
        assert call("export", ws, "--hub-folder", folder, "--model", model, "--quiet").code == 0
        found = commands(call, ws)[0][-1]
        assert found == ["phrasebox", "export", str(ws), "--hub-folder", str(folder), "--model", str(model)]

    @pytest.mark.parametrize("why", ["read-only", "another command writes"])
    def test_a_workspace_that_cannot_be_written_is_exported_all_the_same(self, why, at, call, tmp_path, monkeypatch):
        ws, out = at("ground"), tmp_path / "pairs.jsonl"

        def refuse(*_):
            raise PermissionError(13, "Permission denied", "lock") if why == "read-only" else WorkspaceError("busy")

        monkeypatch.setattr(Workspace, "lock", refuse)
        before = Workspace(ws).runs
        assert call("export", ws, out, "--format", "odvg", "--quiet").code == 0
        assert out.exists()
        assert Workspace(ws).runs == before

    def test_measuring_captions_alone(self, tmp_path):
        ws = Workspace.create(tmp_path / "ws")
        asked = {"split": "test", "captioner": "models/mine", "captions_only": True, "device": "cpu"}
        ws.made(Run("caption", {"name": "mine", "device": "cpu"}, {}, 0, "models/mine"))
        ws.made(Run("evaluate", asked, makes="results/test-captions.json"))
        step = reproduce(ws, tmp_path / "again")[-1]
        mine = str(tmp_path / "again" / "models" / "mine")
        assert step.command[3:] == ("--split", "test", "--captions-only", "--captioner", mine)
        assert step.notes == ()


def test_a_workspace_of_0_1_gives_commands_of_now(tmp_path):
    kept = Path(__file__).parents[1] / "data" / "workspace-0.1"
    steps = reproduce(Workspace(shutil.copytree(kept, tmp_path / "ws")))
    assert [step.command[1] for step in steps] == [run.stage for run in Workspace(tmp_path / "ws").runs]
    for step in steps:
        asked = app[step.command[1]]
        known = {name for one in asked.assemble_argument_collection() for name in (*one.names, *one.negatives)}
        assert {word for word in step.command if word.startswith("--")} <= known
        assert not any("not a setting" in note for note in step.notes)


def test_names_with_spaces_are_quoted(data, call, tmp_path):
    source = Path(tmp_path / "my captions.json")
    source.write_bytes((data / "captions.json").read_bytes())
    call("import", source, tmp_path / "ws", "--images", data / "images", "--quiet")
    assert f"'{source}'" in call("reproduce", tmp_path / "ws").out

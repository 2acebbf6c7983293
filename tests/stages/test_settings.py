"""Settings classes are options, tables of a file, and presets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from phrasebox.cli import app
from phrasebox.errors import SettingsError
from phrasebox.io.settings import PRESET_FILES, PRESET_NAMES, option_names, read_settings
from phrasebox.stages.settings import TABLES, start_of, values_of
from phrasebox.workspace.workspace import Workspace


@pytest.mark.parametrize("command", TABLES)
def test_every_field_is_an_option_with_help_and_nothing_else_is(command):
    arguments = app[command].assemble_argument_collection()
    held = [one for one in arguments if one.hint in TABLES[command]]
    assert {one.hint for one in held} == set(TABLES[command])
    own = [child for one in held for child in one.children if child.parse]
    names = option_names(*TABLES[command])
    assert [one.name for one in own] == [f"--{name.replace('_', '-')}" for name in names]


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_a_preset_file_has_known_settings_that_fit(preset):
    tables = read_settings(PRESET_FILES / f"{preset}.toml", TABLES)
    assert all(table == {name: start_of(command, preset)[name] for name in table} for command, table in tables.items())


def test_every_preset_file_is_a_preset():
    assert sorted(path.stem for path in PRESET_FILES.glob("*.toml")) == sorted(PRESET_NAMES)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[align]\nepoch = 3\n", "[align] has no epoch; its settings are apart, dim, encoder"),
        ("[alig]\ndim = 3\n", "has 'alig'; its tables are [regions], [propose], [align], [caption], [describe]"),
        ("dim = 3\n", "has 'dim'; its tables are"),
        ("[align", "is not TOML"),
        ("[align]\ndim = 0\n", "mine.toml: [align] dim must be at least 1, got 0"),
        ('[align]\nepochs = "many"\n', "mine.toml: [align] epochs must be a whole number, got 'many'"),
        ("[align]\nvector_dim = 10\n", "has no vector_dim"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(text, told, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        values_of("align", {"config": str(path)})
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_may_hold_what_only_fits_an_option(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[regions]\nsecond_size = 96\n")
    given = {"config": str(path), "preset": "paper"}
    for options in ({"second": "efficientnet-lite1"}, {"second": "efficientnet-lite1", "nms": "2"}):
        assert values_of("regions", {**given, **options})["second_size"] == 96
    for options in ({}, {"second": ""}, {"backbone": "efficientnet-lite0"}):
        with pytest.raises(SettingsError, match="second_size is 96, but there is no second backbone"):
            values_of("regions", {**given, **options})


def test_an_option_comes_before_a_file_before_a_preset_before_the_default(tmp_path, monkeypatch):
    path = tmp_path / "mine.toml"
    path.write_text("[caption]\nembed = 32\nbatch = 7\n[align]\ndim = 8\n")
    asked = []

    def job(ws, *given):
        asked.extend(given)
        raise InterruptedError

    monkeypatch.setattr("phrasebox.stages.caption.caption", job)
    ws = Workspace.create(tmp_path / "ws").path
    words = ["caption", str(ws), "--preset", "paper", "--config", str(path), "--batch", "5"]
    with pytest.raises(InterruptedError):
        app(words, result_action="return_value", exit_on_error=False)
    model, train, speech, *_ = asked
    assert (train.batch, model.embed, model.dim, model.heads, speech.beam) == (5, 32, 512, 4, 7)


@pytest.mark.parametrize("command", ["align", "caption", "regions"])
def test_values_are_plain(command):
    assert json.loads(json.dumps(start_of(command, "paper"))) == start_of(command, "paper")


ROOT = Path(__file__).parents[2]
GUIDES = [page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "reference"]


@pytest.mark.parametrize("command", TABLES)
def test_a_guide_a_recipe_or_a_benchmark_shows_the_use_of_every_option(command):
    pages = [*GUIDES, *(ROOT / "recipes").glob("*.sh"), *(ROOT / "benchmarks").glob("*.py")]
    shown = set(
        re.findall(r"--(?:no-)?([a-z][a-z0-9-]*)", " ".join(page.read_text(encoding="utf-8") for page in pages))
    )
    assert [name for name in option_names(*TABLES[command]) if name.replace("_", "-") not in shown] == []

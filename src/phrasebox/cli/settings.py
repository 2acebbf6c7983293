"""Settings classes as options; values not given on the command line come from a file, a model or a preset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyclopts import App, ArgumentCollection, Group, Parameter, Token

from phrasebox.cli.app import Preset
from phrasebox.io.settings import PRESET_NAMES, option_names
from phrasebox.stages.settings import TABLES, values_of

MODEL = Parameter(name="*", group=Group("Model", sort_key=1), negative=None)
TRAINING = Parameter(name="*", group=Group("Training", sort_key=2), negative=None)
SPEECH = Parameter(name="*", group=Group("Speech", sort_key=3), negative=None)
COMPUTING = Parameter(name="*", group=Group("Computing", sort_key=4), negative=None)
REGIONS = Parameter(name="*", group=Group("Regions", sort_key=1), negative=None)


@Parameter(name="*")
@dataclass(frozen=True)
class Start:
    """Source of the settings that are not given on the command line."""

    preset: Preset = "modern"
    "modern (best measured results) or paper (as published)."
    config: Path | None = None
    "TOML file with settings, like those in src/phrasebox/presets; options on the command line override it."


START = Start()


def fill(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fill in the settings that were not given on the command line; cyclopts calls it before it converts values."""
    command = commands[-1] if commands else ""
    if command not in TABLES:
        return
    given = {one.name.lstrip("-").replace("-", "_"): one.tokens[0].value for one in arguments if one.tokens}
    if given.get("preset", "modern") not in PRESET_NAMES:
        return  # cyclopts reports it
    values = values_of(command, given)
    names = set(option_names(*TABLES[command]))
    for one in arguments:
        name = one.keys[-1] if one.keys else ""
        if name in names and name in values and one.parse and not one.tokens:
            one.append(Token(keyword=one.name, source="settings", implicit_value=values[name]))

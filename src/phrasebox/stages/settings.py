"""The settings of each command, and the values of those not given on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from phrasebox.aligner import settings as aligner
from phrasebox.captioner import settings as captioner
from phrasebox.errors import SettingsError
from phrasebox.io.settings import option_names, preset_table, read_settings, with_values
from phrasebox.regions import settings as regions
from phrasebox.regions.backbones.finetuned import base_of
from phrasebox.regions.proposers.settings import ProposerSettings
from phrasebox.training.execution import Execution

TABLES: dict[str, tuple[type, ...]] = {
    "regions": (regions.RegionSettings,),
    "propose": (ProposerSettings,),
    "align": (aligner.ModelSettings, aligner.TrainSettings, Execution),
    "caption": (captioner.ModelSettings, captioner.TrainSettings, captioner.SpeechSettings, Execution),
    "describe": (captioner.SpeechSettings,),
}
"""Command -> its settings classes; their fields are the command's options and its table in a settings file."""

_DRAWN = ("temperature", "top_k", "top_p")


def values_of(command: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the settings of a command that are not ``given`` on the command line.

    In order of precedence: a settings file (``config``), a model's settings (``like``, or ``model`` of ``describe``), a
    preset, the defaults.

    Parameters
    ----------
    given : mapping
        Option -> its value on the command line.

    Raises
    ------
    SettingsError, ModelError
        If the file or the model cannot be read, or a value in it is out of range.
    """
    path = given.get("config")
    table = read_settings(Path(path), TABLES).get(command, {}) if path else {}
    asked = {**table, **given}
    if command == "regions":
        start = _regions(asked)
    elif command == "describe":
        start = _speech(asked)
    else:
        start = start_of(command, asked.get("preset", "modern"))
    values = start | table
    for cls in TABLES[command]:
        _check(cls, values, given, f"{path}: [{command}] " if path else "")
    return values


def _check(cls: type, values: Mapping[str, Any], given: Mapping[str, Any], where: str) -> None:
    """Raise an error if a value is out of range, or does not fit the others, unless ``given`` ones mend that."""
    try:
        with_values(cls, values, where)
    except SettingsError as error:
        try:
            with_values(cls, {**values, **given}, where)
        except SettingsError as left:
            if str(left) == str(error):  # else cyclopts reports what is wrong with an option
                raise error from None


def start_of(command: str, preset: str) -> dict[str, Any]:
    """The settings of a preset for a command."""
    if command == "regions":
        return asdict(regions.REGION_PRESETS[preset])
    table = preset_table(preset, command)
    made = [asdict(with_values(cls, table)) for cls in TABLES[command]]
    names = option_names(*TABLES[command])
    return {name: value for part in made for name, value in part.items() if name in names}


def _regions(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Start values of `regions`.

    Another proposer brings its own defaults. Another backbone has no second one, and no proposer that reads its maps
    unless one is named: its boxes are found by selective search.
    """
    like = asked.get("like")
    start = asdict(regions.region_settings_of(like)) if like else start_of("regions", asked.get("preset", "modern"))
    own = "backbone" in asked and base_of(asked["backbone"]) != base_of(start["backbone"])
    usual = start["proposer"]
    if own and usual == "objectness" and "objectness" not in asked:
        usual = "selective_search"
    if (proposer := asked.get("proposer", usual)) != start["proposer"]:
        start = asdict(regions.RegionSettings.of_proposer(proposer))
    if "backbone" in asked and "second" not in asked:
        start |= {"second": "", "second_size": None}
    return start


def _speech(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The captioner's own settings; sampling options imply sampling, and ``count`` needs as wide a beam."""
    from phrasebox.captioner.api import Captioner
    from phrasebox.io.model_folder import read_config
    from phrasebox.models.saved_model import model_folder

    model = asked.get("model")
    folder = model_folder(model or None, Captioner.built_in)
    if not folder.is_dir():
        return {}  # loading the captioner raises the error
    speech = with_values(captioner.SpeechSettings, read_config(folder)["speech"])
    start = {name: getattr(speech, name) for name in option_names(captioner.SpeechSettings)}
    if "method" not in asked and any(name in asked for name in _DRAWN):
        start["method"] = "sample"
    if asked.get("method") == "greedy":
        start["count"] = 1
    if "beam" not in asked and str(asked.get("count", "")).isdecimal():
        start["beam"] = max(start["beam"], int(asked["count"]))
    return start

"""The commands that can be started as jobs, and the options that they take from the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from phrasebox.aligner import settings as aligner
from phrasebox.captioner import settings as captioner
from phrasebox.errors import NotFoundError, SettingsError
from phrasebox.io.settings import PRESET_NAMES
from phrasebox.stages.doctor import MARKS
from phrasebox.types import SPLITS

Value = int | float | bool | str
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command.

    Attributes
    ----------
    kind : {"int", "float", "bool", "text", "choice"}
        ``text`` is the name of a model of the workspace.
    values : tuple of str
        Of a choice.
    """

    name: str
    kind: Literal["int", "float", "bool", "text", "choice"]
    help: str
    default: Value | None = None
    values: tuple[str, ...] = ()

    def checked(self, value: Value) -> Value:
        """The value; raises `SettingsError` if it is of another kind."""
        kinds = {"int": int, "float": (int, float), "bool": bool}.get(self.kind, str)
        fits = isinstance(value, kinds) and (self.kind == "bool" or not isinstance(value, bool))
        if self.kind == "choice":
            fits = value in self.values
        elif self.kind == "text":
            fits = fits and _NAME.fullmatch(str(value)) is not None
        if not fits:
            wanted = f"one of {', '.join(self.values)}" if self.values else f"a value of kind {self.kind}"
            raise SettingsError(f"{self.name} must be {wanted}")
        return value


@dataclass(frozen=True, slots=True)
class Stage:
    """A command that can be started as a job.

    Attributes
    ----------
    problem : str
        How a line of its result begins that tells a problem. The command ends with code 1 when there is one, though it
        has not failed. Empty: code 1 is a failure.
    """

    name: str
    help: str
    options: tuple[Option, ...] = ()
    problem: str = ""

    def checked(self, options: Mapping[str, Value]) -> dict[str, Value]:
        """The options; raises `SettingsError` for one that the job does not take."""
        known = {option.name: option for option in self.options}
        for name in options:
            if name not in known:
                raise SettingsError(f"{self.name} takes no {name} here; it takes {', '.join(known) or 'no options'}")
        return {name: known[name].checked(value) for name, value in options.items()}

    def arguments(self, ws: str, options: Mapping[str, Value], models: Path | None = None) -> list[str]:
        """Arguments of the command line; the model of a name is in the folder ``models``."""
        found = [self.name, ws]
        for name, value in options.items():
            option = f"--{name.replace('_', '-')}"
            if value is True:
                found.append(option)
            elif value is not False:
                given = str(models / str(value)) if name == "model" and models is not None else str(value)
                found += [option, given]
        return found


def _of(settings: type[Any], name: str, help: str) -> Option:
    """An option that is a field of a settings class, with its default."""
    default: Any = next(field.default for field in fields(settings) if field.name == name)
    return Option(name, "int" if isinstance(default, int) else "float", help, default)


_FRESH = Option("fresh", "bool", "Discard what is there and begin anew.", False)
_MODEL = Option("model", "text", "Name of a model of the workspace; default: its own, or the built-in one.")
_PRESET = Option("preset", "choice", "Where the other settings come from.", "modern", tuple(PRESET_NAMES))
_SPLIT = Option("split", "choice", "Split to measure on; default: val.", None, (*SPLITS, "all"))
_ALIGN, _CAPTION = aligner.TrainSettings, captioner.TrainSettings

STAGES = {
    stage.name: stage
    for stage in (
        Stage("regions", "Find boxes in every image and compute their vectors.", (_PRESET, _FRESH)),
        Stage(
            "align",
            "Train an aligner on the captions.",
            (
                _PRESET,
                _of(_ALIGN, "epochs", "Passes over all captions."),
                _of(_ALIGN, "batch", "Images a step."),
                _of(_ALIGN, "lr", "Largest learning rate."),
                Option("name", "text", "Name of the model.", "aligner"),
                _FRESH,
            ),
        ),
        Stage(
            "ground",
            "Find the phrases of every caption and the region that each describes.",
            (_MODEL, Option("beta", "float", "Chain strength; default: the model's own."), _FRESH),
        ),
        Stage(
            "caption",
            "Train a captioner on captions and phrases.",
            (
                _PRESET,
                _of(_CAPTION, "epochs", "Passes over all captions."),
                _of(_CAPTION, "min_confidence", "Leave out phrases of a lower confidence."),
                Option("name", "text", "Name of the model.", "captioner"),
                _FRESH,
            ),
        ),
        Stage("evaluate", "Measure retrieval, captions and grounding.", (_SPLIT, _MODEL)),
        Stage("index", "Embed and index the images for search.", (_MODEL, _FRESH)),
        Stage("doctor", "Check the machine and the workspace.", problem=MARKS["broken"]),
    )
}
"""Name of the command -> how it is started."""


def stage_of(name: str) -> Stage:
    """The stage of this name; raises `NotFoundError` if there is none."""
    if name not in STAGES:
        raise NotFoundError(f"no job is called {name!r}; there are {', '.join(STAGES)}")
    return STAGES[name]

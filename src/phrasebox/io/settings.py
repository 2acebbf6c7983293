"""Settings classes, and the TOML files that hold settings."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

from cyclopts import Parameter
from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

from phrasebox.errors import SettingsError

T = TypeVar("T")

PRESET_NAMES = ("modern", "paper")
PRESET_FILES = Path(__file__).parent.parent / "presets"

DERIVED = Parameter(parse=False)
"""Marks a field that is not an option: it is computed, or set by an option that every command has."""

_RULES = {
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be above {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be below {lt:g}",
    "finite_number": "must be a finite number",
    "literal_error": "must be one of {expected}",
    "byte_size": "must be a size such as 4GB or 512MB",
    "byte_size_unit": "must be a size such as 4GB or 512MB",
}
_BOUNDS = {"ge", "gt", "le", "lt"}
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "string": "text", "tuple": "a list"}


@dataclass_transform(frozen_default=True)
def settings(cls: type[T]) -> type[T]:
    """Decorate a settings class: a frozen dataclass that validates its values against its annotations.

    Every field has a default, a one-line docstring (the help of its option) and, where needed, a ``pydantic.Field``
    with its range. An invalid value raises `SettingsError` with a one-line message.
    """
    made: Any = dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))(cls)
    checked = made.__init__

    @wraps(checked)
    def check(self: Any, *values: Any, **named: Any) -> None:
        try:
            checked(self, *values, **named)
        except ValidationError as error:
            raise plain(error, made) from None

    made.__init__ = check
    return made


def plain(error: ValidationError, cls: Any = None) -> SettingsError:
    """A one-line `SettingsError` from the first of pydantic's validation errors."""
    first = error.errors(include_url=False)[0]
    kind, name, given = first["type"], (first["loc"] or [""])[0], first["input"]
    if isinstance(name, int):  # a positional argument
        name = fields(cls)[name].name
    context = first.get("ctx", {})
    if isinstance(context.get("error"), Exception):
        return SettingsError(str(context["error"]))
    if kind == "unexpected_keyword_argument":
        return SettingsError(f"there is no setting {name}")
    if "expected" in context:
        context["expected"] = context["expected"].replace("'", "").replace(" or ", ", ")
    stem = kind.split("_")[0]
    rule = _RULES.get(kind, f"must be {_KINDS[stem]}" if stem in _KINDS else first["msg"])
    return SettingsError(f"{name} {rule.format(**context)}, got {given if set(context) & _BOUNDS else repr(given)}")


@cache
def preset_table(preset: str, table: str) -> Mapping[str, Any]:
    """The values of a preset, for one table, that differ from the defaults."""
    return tomllib.loads((PRESET_FILES / f"{preset}.toml").read_text(encoding="utf-8")).get(table, {})


def read_settings(path: Path, known: Mapping[str, tuple[type, ...]]) -> dict[str, dict[str, Any]]:
    """Read a TOML file with a table of settings for each command.

    Parameters
    ----------
    known : mapping of str to tuple of type
        Table -> its settings classes.

    Returns
    -------
    dict of dict
        Table -> name -> value.

    Raises
    ------
    SettingsError
        If the file cannot be read, or has an unknown table or name.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    for table, values in tables.items():
        if table not in known or not isinstance(values, dict):
            raise SettingsError(f"{path} has {table!r}; its tables are {', '.join(f'[{name}]' for name in known)}")
        names = option_names(*known[table])
        if wrong := values.keys() - set(names):
            raise SettingsError(f"{path}: [{table}] has no {min(wrong)}; its settings are {', '.join(names)}")
    return tables


def option_names(*classes: Any) -> list[str]:
    """Names of the fields of settings classes that are options, in order."""
    return [name for cls in classes for name, one in cls.__pydantic_fields__.items() if DERIVED not in one.metadata]


def with_values(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Make an object of a settings class from ``values``; missing values are defaults, other names are ignored.

    Raises
    ------
    SettingsError
        If a value is out of range; the message begins with ``where``.
    """
    own = {name: values[name] for name in option_names(cls) if name in values}
    try:
        return cls(**own)
    except SettingsError as error:
        raise SettingsError(f"{where}{error}") from None

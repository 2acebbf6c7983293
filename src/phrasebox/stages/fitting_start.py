"""Whether a training can start from a model; the same for aligners and captioners."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from phrasebox.aligner.stored import NOTHING
from phrasebox.errors import ModelError, SettingsError


def is_nothing(source: str | Path | None, built_in: Path, folder: Path) -> bool:
    """Whether a training starts from random weights: it is asked for, or nothing is and there is no built-in model.

    Raises
    ------
    SettingsError
        If the model named is the one in ``folder``, which is to be trained.
    """
    if source == NOTHING or (source is None and not built_in.is_dir()):
        return True
    if source is not None and Path(source).resolve() == folder.resolve():
        raise SettingsError(f"{source} is the model that is trained; give the new one another --name")
    return False


def differing(asked: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """The settings of a model that are not those asked for; empty if there are none."""
    return ", ".join(
        f"{name}={asked[name]!r} (model: {value!r})" for name, value in own.items() if asked[name] != value
    )


def fits(source: str | Path | None, apart: str, told: Callable[[str], object]) -> bool:
    """Whether the model can be started from, ``apart`` being what differs; ``told`` if the built-in one cannot.

    Raises
    ------
    ModelError
        If a model was named and cannot.
    """
    if apart and source is not None:
        raise ModelError(f"training cannot start from {source}: {apart}; use --start nothing")
    if apart:
        told(f"training starts from nothing, as the built-in model does not fit: {apart}")
    return not apart

"""Settings that earlier versions wrote into manifests and models: those with another name now, and those removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {"regions": {"engine": "runtime"}}
"""Part of a manifest or config -> old name -> present name."""

REMOVED = {
    "layers": 1,  # of the transformer decoder
    "scheduled": 0.0,
    "drop_words": 0.0,
}
"""Removed setting of a model or its training -> the value that had no effect."""

RENAMED_VALUES = {"words": {"contextual": "minilm", "static": "minilm:static"}}
"""Setting -> old value -> present value."""

INSIDE = {"align": ("model", "train"), "caption": ("model", "train"), "about": ("training",)}
"""Part -> the parts inside it."""

REMOVED_VALUES = {"decoder": "transformer", "objective": "margin-annealed"}
"""Setting -> a value of it that was removed."""


def current(part: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a part under the names that they have now, without removed ones that had no effect.

    Examples
    --------
    >>> current("regions", {"size": 96, "engine": "auto"})
    {'size': 96, 'runtime': 'auto'}
    >>> current("align", {"train": {"epochs": 3, "drop_words": 0.0}})
    {'train': {'epochs': 3}}
    >>> current("model", {"words": "static"})
    {'words': 'minilm:static'}
    """
    names = RENAMED.get(part, {})
    kept = {names.get(n, n): _present(n, value) for n, value in values.items() if not _neutral(part, n, value)}
    inside = INSIDE.get(part, ())
    return {n: current(n, value) if n in inside and isinstance(value, dict) else value for n, value in kept.items()}


def _present(name: str, value: Any) -> Any:
    return RENAMED_VALUES.get(name, {}).get(value, value) if isinstance(value, str) else value


def removed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a model's or a training's `current` settings that this version cannot follow.

    Examples
    --------
    >>> removed({"decoder": "transformer", "layers": 2, "dim": 8})
    {'decoder': 'transformer', 'layers': 2}
    """
    return {
        name: value
        for name, value in values.items()
        if name in REMOVED or (name in REMOVED_VALUES and value == REMOVED_VALUES[name])
    }


def _neutral(part: str, name: str, value: Any) -> bool:
    return part in ("model", "train", "training") and name in REMOVED and value == REMOVED[name]

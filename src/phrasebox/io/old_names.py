"""Settings that earlier versions wrote under other names into manifests and models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RENAMED = {"regions": {"engine": "runtime"}}
"""Part of a manifest or a config -> old name -> the name that it has now."""


def current(part: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a part under the names that they have now.

    Examples
    --------
    >>> current("regions", {"size": 96, "engine": "auto"})
    {'size': 96, 'runtime': 'auto'}
    """
    names = RENAMED.get(part, {})
    return {names.get(name, name): value for name, value in values.items()}

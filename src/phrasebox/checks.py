"""Whether settings are in range, said in one way."""

from __future__ import annotations

from typing import Any

from phrasebox.errors import SettingsError


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise `SettingsError` unless the value is among the allowed ones."""
    if value not in allowed:
        raise SettingsError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")


def at_least(settings: Any, least: float, *names: str) -> None:
    """Raise `SettingsError` unless every named setting is ``least`` or more."""
    for name in names:
        if not getattr(settings, name) >= least:
            raise SettingsError(f"{name} must be at least {least:g}, got {getattr(settings, name)}")


def share(settings: Any, *names: str) -> None:
    """Raise `SettingsError` unless every named setting is in [0, 1)."""
    for name in names:
        if not 0 <= getattr(settings, name) < 1:
            raise SettingsError(f"{name} must be in [0, 1), got {getattr(settings, name)}")

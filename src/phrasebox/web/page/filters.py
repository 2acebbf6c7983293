"""Filters of the tab Review: split, state, score, length and text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import events

from phrasebox.types import SPLITS
from phrasebox.web.page.parts import Choice, Field, element, set_props

_STATES = ("open", "accepted", "rejected", "edited")
_MOST_WORDS = 10_000


class Filters:
    """The filter fields and their values."""

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._values: dict[str, str] = {}
        self._fields: dict[str, Field | Choice] = {}
        with element(classes="filters", role="search", aria_label="Filter the phrases"):
            self._text("text", "Words in the phrase", kind="search", hint="any", most=200, shortcut="/")
            self._choice("split", "Split", SPLITS)
            self._choice("state", "State", _STATES)
            self._text("score", "Score from", kind="number", hint="any", step=0.05)
            self._text("least", "Words from", kind="number", hint="1", min=1, step=1)
            self._text("longest", "to", kind="number", hint="any", min=1, step=1)

    def _text(self, name: str, label: str, **props: Any) -> None:
        field = Field().on("typed", lambda e: self._set(name, e)).on("entered", lambda e: self._set(name, e))
        set_props(field, label=label, **props)
        self._fields[name] = field

    def _choice(self, name: str, label: str, values: tuple[str, ...]) -> None:
        choice = Choice().on("chose", lambda e: self._set(name, e))
        set_props(choice, label=label, options=[["", "any"], *([value, value] for value in values)])
        self._fields[name] = choice

    def _set(self, name: str, event: events.GenericEventArguments) -> None:
        value = str(event.args).strip()
        if value != self._values.get(name, ""):
            self._values[name] = value
            self._changed()

    def clear(self) -> None:
        """Remove all filters."""
        self._values.clear()
        for field in self._fields.values():
            field.run_method("put", "")
        self._changed()

    @property
    def wanted(self) -> dict[str, Any]:
        """Arguments of `phrasebox.web.service.Service.phrases`; values that are no numbers are ignored."""
        given = self._values.get
        found: dict[str, Any] = {name: given(name) for name in ("text", "split", "state") if given(name)}
        if (score := _number(given("score"))) is not None:
            found["min_score"] = score
        least, longest = _number(given("least")), _number(given("longest"))
        if least is not None or longest is not None:
            found["length"] = (int(least or 0), int(_MOST_WORDS if longest is None else longest))
        return found


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) <= _MOST_WORDS else None

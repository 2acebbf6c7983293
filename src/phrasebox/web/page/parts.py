"""The pieces that every tab is made of: plain HTML elements with our own style, and the client-side components.

All text goes through `Text` or a component's property, which the browser is given as text and never as HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from nicegui import background_tasks, ui
from nicegui.elements.mixins.text_element import TextElement

from phrasebox.errors import PhraseboxError
from phrasebox.web.error_responses import public_message
from phrasebox.web.service import Service


class Picture(ui.element, component="client/grounded_picture.js"):
    """A picture with boxes; emits ``picked`` id, ``pointed`` {x, y}, ``drawn`` box, ``changed`` box."""


class Sentence(ui.element, component="client/grounded_sentence.js"):
    """A sentence whose phrases have colours."""


class Ribbon(ui.element, component="client/chain_ribbon.js"):
    """The segments of a decoded sentence."""


class Matrix(ui.element, component="client/score_matrix.js"):
    """Words by regions."""


class Field(ui.element, component="client/text_field.js"):
    """A labelled text field; emits ``typed`` and ``entered`` with the text."""


class Choice(ui.element, component="client/choice_field.js"):
    """A labelled choice; emits ``chose`` with the value."""


class Range(ui.element, component="client/range_field.js"):
    """A labelled slider over stops; emits ``moved`` with the index."""


class Drop(ui.element, component="client/drop_zone.js"):
    """Where a photograph is given; emits ``sent`` and ``refused`` with a reason."""


class Chart(ui.element, component="client/line_chart.js"):
    """Lines over epochs."""


class WorkList(ui.element, component="client/work_list.js"):
    """A list of phrases; emits ``chosen`` with an id."""


class Sheet(ui.element, component="client/result_sheet.js"):
    """A table of measurements."""


class PhraseList(ui.element, component="client/phrase_list.js"):
    """Phrases with what they are worth; emits ``picked`` with an id."""


class Text(TextElement):
    """An element of any tag with text in it."""

    def __init__(self, text: str = "", tag: str = "p", classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)


def later(work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
    """Begin something that takes a moment; it must make elements inside others only."""
    background_tasks.create(work(*arguments))


def put(element: ui.element, **props: Any) -> None:
    """Set properties of an element and send it once; ``_`` in a name is ``-``, None takes the property away."""
    with element.props.suspend_updates():
        for name, value in props.items():
            element.props.set_optional(name.replace("_", "-"), value)
    element.update()


def box(tag: str = "div", classes: str = "", **props: Any) -> ui.element:
    """An element to put others into."""
    element = ui.element(tag).classes(classes)
    for name, value in props.items():
        element.props[name.replace("_", "-")] = value
    return element


def button(
    label: str,
    on_click: Callable[..., Any],
    classes: str = "plain",
    key: str = "",
    **props: Any,
) -> ui.element:
    """A button; ``key`` presses it while it can be seen, and is shown on it."""
    element = box("button", f"button {classes}", type="button", **props)
    if key:
        element.props["data-key"] = key
        element.props["aria-keyshortcuts"] = key
    with element:
        Text(label, "span")
        if key:
            Text(key, "kbd").props["aria-hidden"] = "true"
    return element.on("click", lambda: on_click(), args=[])


def head(title: str, lead: str = "") -> None:
    """The heading of a tab."""
    with box(classes="lead"):
        Text(title, "h2")
        if lead:
            Text(lead)


class Notice:
    """A place where a tab says that it is at work, or what went wrong; read out by screen readers when it changes."""

    def __init__(self, service: Service) -> None:
        self._place = box(aria_live="polite")
        self._hidden = str(service.workspace.path.absolute()) if service.has_workspace else ""

    def clear(self) -> None:
        """Say nothing."""
        self._place.clear()

    def busy(self, text: str) -> None:
        """Say that something takes a moment."""
        self._place.clear()
        with self._place, box(classes="busy"):
            ui.element("i").classes("spin")
            Text(text, "span")

    def wrong(self, text: str) -> None:
        """Say what went wrong."""
        self._place.clear()
        with self._place, box(classes="notice", role="alert"):
            Text(_sentence(text))

    def failed(self, error: PhraseboxError) -> None:
        """Say why something cannot be had; paths of the machine are left out."""
        self.wrong(public_message(str(error), self._hidden))

    def say(self, text: str) -> None:
        """Say something worth knowing."""
        self._place.clear()
        with self._place, box(classes="notice calm"):
            Text(_sentence(text))


def empty(title: str, text: str, command: str = "") -> ui.element:
    """What is shown where there is nothing: why, and what to do about it."""
    with box(classes="empty") as place:
        Text(title, "h3")
        Text(text)
        if command:
            Text(command, "code")
    return place


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]

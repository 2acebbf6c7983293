"""Building blocks of the tabs: HTML elements and client-side components.

All text is set by `Text` or by a property of a component, so that the browser never interprets it as HTML.
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
    """An image with boxes; emits ``picked`` id, ``pointed`` {x, y}, ``drawn`` box, ``changed`` box."""


class Sentence(ui.element, component="client/grounded_sentence.js"):
    """A sentence with coloured phrases."""


class Ribbon(ui.element, component="client/chain_ribbon.js"):
    """The segments of the chain: runs of words with the same region."""


class Matrix(ui.element, component="client/score_matrix.js"):
    """The score matrix of words and regions."""


class Field(ui.element, component="client/text_field.js"):
    """A labelled text field; emits ``typed`` and ``entered`` with the text."""


class Choice(ui.element, component="client/choice_field.js"):
    """A labelled drop-down list; emits ``chose`` with the value."""


class Range(ui.element, component="client/range_field.js"):
    """A labelled slider over given values; emits ``moved`` with the index."""


class Drop(ui.element, component="client/drop_zone.js"):
    """An upload area for an image; emits ``sent``, and ``refused`` with the reason."""


class Chart(ui.element, component="client/line_chart.js"):
    """A line chart over epochs."""


class WorkList(ui.element, component="client/work_list.js"):
    """A list of phrases; emits ``chosen`` with an id."""


class Sheet(ui.element, component="client/result_sheet.js"):
    """A table of measurements."""


class PhraseList(ui.element, component="client/phrase_list.js"):
    """Phrases with their confidence; emits ``picked`` with an id."""


class Text(TextElement):
    """An HTML element with text."""

    def __init__(self, text: str = "", tag: str = "p", classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)


def in_background(work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
    """Run a coroutine in the background; it may create elements only inside existing ones."""
    background_tasks.create(work(*arguments))


def set_props(element: ui.element, **props: Any) -> None:
    """Set properties of an element in one update; ``_`` in a name stands for ``-``, None removes the property."""
    with element.props.suspend_updates():
        for name, value in props.items():
            element.props.set_optional(name.replace("_", "-"), value)
    element.update()


def element(tag: str = "div", classes: str = "", **props: Any) -> ui.element:
    """An HTML element with classes and properties; a context manager for its children."""
    created = ui.element(tag).classes(classes)
    for name, value in props.items():
        created.props[name.replace("_", "-")] = value
    return created


def button(
    label: str,
    on_click: Callable[..., Any],
    classes: str = "plain",
    key: str = "",
    **props: Any,
) -> ui.element:
    """A button; ``key`` is its keyboard shortcut while it is visible."""
    control = element("button", f"button {classes}", type="button", **props)
    if key:
        control.props["data-key"] = key
        control.props["aria-keyshortcuts"] = key
    with control:
        Text(label, "span")
        if key:
            Text(key, "kbd").props["aria-hidden"] = "true"
    return control.on("click", lambda: on_click(), args=[])


def heading(title: str, lead: str = "") -> None:
    """The heading of a tab."""
    with element(classes="lead"):
        Text(title, "h2")
        if lead:
            Text(lead)


class Notice:
    """Status line of a tab: progress, errors and hints; announced by screen readers."""

    def __init__(self, service: Service) -> None:
        self._place = element(aria_live="polite")
        self._workspace_path = str(service.workspace.path.absolute()) if service.has_workspace else ""

    def clear(self) -> None:
        """Remove the message."""
        self._place.clear()

    def busy(self, text: str) -> None:
        """Show that work is in progress."""
        self._place.clear()
        with self._place, element(classes="busy"):
            ui.element("i").classes("spin")
            Text(text, "span")

    def wrong(self, text: str) -> None:
        """Show an error message."""
        self._place.clear()
        with self._place, element(classes="notice", role="alert"):
            Text(_capitalised(text))

    def failed(self, error: PhraseboxError) -> None:
        """Show an exception, without paths of this machine."""
        self.wrong(public_message(str(error), self._workspace_path))

    def say(self, text: str) -> None:
        """Show a hint."""
        self._place.clear()
        with self._place, element(classes="notice calm"):
            Text(_capitalised(text))


def empty_state(title: str, text: str, command: str = "") -> ui.element:
    """Placeholder where there is nothing to show: the reason, and the command that helps."""
    with element(classes="empty") as place:
        Text(title, "h3")
        Text(text)
        if command:
            Text(command, "code")
    return place


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]

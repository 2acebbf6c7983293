"""The tab Results: evaluation tables and training curves of the workspace."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping, Sequence
from typing import Any

from phrasebox.errors import PhraseboxError
from phrasebox.web.page.parts import Chart, Notice, Sheet, Text, element, empty_state, heading, in_background, set_props
from phrasebox.web.results import Results
from phrasebox.web.service import Service

_HIDDEN = {"epoch", "seconds", "part"}
_TITLES = {
    "loss": "Loss",
    "lr": "Learning rate",
    "temperature": "Temperature of the score",
    "image_to_sentence": "image to sentence",
    "sentence_to_image": "sentence to image",
}
_RECALL = "Recall@1 (%)"


class ResultsTab:
    """Evaluation tables and training curves, reloaded whenever the tab is opened."""

    def __init__(self, service: Service) -> None:
        self._service = service
        heading("Results", "Evaluation tables of this workspace and training curves of its models.")
        self._notice = Notice(service)
        self._place = element(classes="stack wide-gap")

    def opened(self) -> None:
        """Called when the tab is opened."""
        in_background(self._load)

    async def _load(self) -> None:
        self._notice.busy("Reading …")
        try:
            found = await to_thread(self._service.results) if self._service.has_workspace else None
        except PhraseboxError as error:
            self._notice.failed(error)
            return
        self._notice.clear()
        self._place.clear()
        with self._place:
            if found is None:
                empty_state("No workspace is open", "Start with a workspace to see its results:", "phrasebox serve WS")
            elif not found.tables and not found.trainings:
                text = "Train a model or evaluate the built-in one, then open this tab again."
                empty_state("No results", text, "phrasebox evaluate WS")
            else:
                self._show(found)

    def _show(self, found: Results) -> None:
        for name, epochs in found.trainings.items():
            with element("section", "card stack"):
                Text(f"Training of {name}", "h3")
                with element(classes="charts"):
                    for title, lines in panels(epochs):
                        set_props(Chart(), title=title, lines=lines)
        for table in found.tables:
            with element("section", "card"):
                set_props(Sheet(), **sheet(table))


def panels(epochs: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Training curves from the numeric columns of a training history: each a title and its lines.

    Examples
    --------
    >>> panels([{"epoch": 0, "loss": 2.0, "warning": ""}, {"epoch": 1, "loss": None, "warning": ""}])
    [('Loss', [{'name': 'Loss', 'k': 0, 'values': [2.0, None]}])]
    """
    columns: dict[str, list[float | None]] = {}
    for name in dict.fromkeys(name for epoch in epochs for name in epoch):
        values = [_number(epoch.get(name)) for epoch in epochs]
        if name not in _HIDDEN and any(value is not None for value in values):
            columns[name] = values
    found: dict[str, list[dict[str, Any]]] = {}
    for name, values in columns.items():
        title = _TITLES.get(name, name.replace("_", " "))
        lines = found.setdefault(_RECALL if "_to_" in name else title, [])
        lines.append({"name": title, "k": len(lines), "values": values})
    return list(found.items())


def _number(value: Any) -> float | None:
    if isinstance(value, list) and value:  # recalls at 1, 5 and 10
        value = value[0]
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def sheet(table: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a table of `phrasebox.evaluate` to the properties of `Sheet`.

    Examples
    --------
    >>> shown = sheet({"protocol": "retrieval", "split": "val", "rows": [{"direction": "image", "R@1": 33.71}]})
    >>> shown["title"], shown["rows"]
    ('Retrieval', [['image', '33.7']])
    """
    records = [row for row in table["rows"] if isinstance(row, dict)]
    names = [name for name in dict.fromkeys(n for row in records for n in row) if not name.endswith(" sd")]
    heads = [{"text": name, "right": not any(isinstance(row.get(name), str) for row in records)} for name in names]
    seeds = ", ".join(str(seed) for seed in table.get("seeds") or [])
    title = str(table.get("protocol", "measurement"))
    more = f"split {table.get('split', '')}" + (f", seed {seeds}" if seeds else "")
    rows = [[_cell(row.get(name), row.get(f"{name} sd")) for name in names] for row in records]
    return {"title": title[:1].upper() + title[1:], "more": more, "heads": heads, "rows": rows}


def _cell(value: Any, sd: Any) -> str:
    text = "n/a" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)
    return f"{text} ± {sd:.1f}" if isinstance(sd, float) else text

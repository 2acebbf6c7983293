"""Shared by the commands: opening a workspace, checking options, printing results."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from phrasebox.cli.app import Common
from phrasebox.errors import DataError, SettingsError

if TYPE_CHECKING:
    from rich.table import Table

    from phrasebox.aligner import Aligner
    from phrasebox.pipeline import Engine
    from phrasebox.types import Phrase, Skipped
    from phrasebox.workspace.workspace import Workspace

EngineName = Literal["local", "ray"]

PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Suffix of image files that commands write -> Pillow's name of the format."""

_COLUMNS = {
    "box x1 y1 x2 y2": 19,
    "score": 5,
    "confidence": 10,
}  # of the table of phrases, and their widths in characters


@dataclass(frozen=True)
class Session:
    """An open workspace with the common options of the command."""

    workspace: Workspace
    device: str
    workers: int
    silent: bool

    def aligner(self, model: str | None, prior: float | None = None) -> Aligner:
        """The aligner named, else the workspace's own, else the built-in one; with another weight of its prior."""
        from phrasebox.aligner import Aligner

        return with_prior(Aligner.for_workspace(self.workspace, model, self.device, self.workers), prior)

    def report(self, line: str) -> None:
        """Print a line about the progress on standard error, unless the command is silent."""
        if not self.silent:
            print(line, file=sys.stderr, flush=True)


def with_prior(aligner: Aligner, weight: float | None) -> Aligner:
    """The aligner with another weight of its prior, if one is given; raises `SettingsError` if it is negative."""
    if weight is None:
        return aligner
    if not 0 <= weight < math.inf:
        raise SettingsError(f"prior must be at least 0, got {weight}")
    return replace(aligner, prior_weight=weight)


@contextmanager
def session(ws: Path, common: Common, *, writes: bool = True) -> Iterator[Session]:
    """Open a workspace, and lock it if the command ``writes``."""
    from phrasebox.workspace.workspace import Workspace

    workspace = Workspace(ws)
    with workspace.lock() if writes else nullcontext():
        yield Session(workspace, device(common), common.workers, common.silent)


def device(common: Common) -> str:
    """The torch device; raises `SettingsError` if the machine does not have it."""
    if common.device != "cpu":
        import torch

        try:
            torch.zeros(1, device=common.device)
        except (RuntimeError, AssertionError, NotImplementedError):  # depends on the kind of device
            raise SettingsError(f"there is no device {common.device!r}; use --device cpu") from None
    return common.device


def bulk_engine(common: Common, name: EngineName, address: str | None) -> Engine:
    """The engine that processes images in parallel."""
    from phrasebox.pipeline import Engine

    return Engine(name, common.workers, address)


def sleep_when_idle() -> None:
    """Let PyTorch's idle threads sleep instead of spin; call it before torch is imported.

    For commands that run a model once: a spinning thread costs processor time and saves nothing there.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def check_target(out: Path) -> None:
    """Raise `DataError` if ``out`` cannot be written; called before a long computation."""
    if out.is_dir():
        raise DataError(f"{out} is a folder; give the name of a file to write")
    for parent in out.parents:
        if parent.exists() and not parent.is_dir():
            raise DataError(f"{parent} is a file, so {out} cannot be written; give another folder")


def say(common: Common, result: Mapping[str, Any], *lines: str) -> None:
    """Print the result as JSON or as lines of text."""
    if common.json:
        print(json.dumps(result, ensure_ascii=False))
    elif not common.quiet:
        print("\n".join(lines))


def warn(common: Common, lines: Iterable[str]) -> None:
    """Print lines about what was left out on standard error, unless the command is quiet."""
    for line in lines if not common.quiet else ():
        print(line, file=sys.stderr)


def skipped(ws: Workspace, stage: str) -> list[str]:
    """Lines about the images that a stage skipped: their number, and the first five with reasons."""
    return _listed(ws.skipped(stage), "skipped")


def left_out(ws: Workspace, items: Sequence[Skipped]) -> list[str]:
    """Lines about the images and captions that are left out, as `skipped`, and what to do about them."""
    from phrasebox.workspace.picture_files import remedies

    return [*_listed(items, "left out"), *remedies(ws.path, [item.reason for item in items])]


def _listed(items: Sequence[Skipped], how: str) -> list[str]:
    lines = [f"  {item.key}: {item.reason}" for item in items[:5]]
    more = [f"  and {len(items) - 5} more"] if len(items) > 5 else []
    return [f"{len(items)} {how}:", *lines, *more] if items else []


def print_phrases(title: str, shown: Iterable[tuple[str, str, Sequence[Phrase]]]) -> None:
    """Print the captions of each image, each with a table of its phrases.

    Parameters
    ----------
    shown : iterable of (image, caption, phrases)
        Captions of the same image must be consecutive.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console, shown = Console(), list(shown)
    longest = max((Text(phrase.text).cell_len for _, _, phrases in shown for phrase in phrases), default=0)
    width = max(12, min(longest, console.width - sum(_COLUMNS.values()) - 2 * len(_COLUMNS) - 4))
    console.print(Text(title, "bold"))
    console.print(Padding(_phrase_table(width, (), header=True), (0, 0, 0, 4), expand=False))
    before = None
    for image, caption, phrases in shown:
        if image != before:
            console.print(Text(image, "bold"))
        before = image
        console.print(Padding(Text(caption, "italic"), (0, 0, 0, 2), expand=False))
        if phrases:
            console.print(Padding(_phrase_table(width, phrases), (0, 0, 0, 4), expand=False))


def certainty(phrase: Phrase) -> str:
    """The confidence, or that the phrase is unknown to the model."""
    return "unknown" if phrase.unknown else f"{phrase.confidence:.2f}"


def _phrase_table(width: int, phrases: Sequence[Phrase], header: bool = False) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=header, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("phrase", width=width, overflow="fold")
    for name, columns in _COLUMNS.items():
        table.add_column(name, width=columns, justify="right")
    for phrase in phrases:
        shown = "\n".join(" ".join(f"{x:.0f}" for x in box) for box in phrase.boxes)
        box = "whole image" if phrase.whole_image else shown
        table.add_row(Text(phrase.text), box, f"{phrase.score:.2f}", certainty(phrase))
    return table

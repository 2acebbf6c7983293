"""Looking over the machine, a workspace and its data: what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from phrasebox.errors import WorkspaceError
from phrasebox.stages.doctor.captions import captions
from phrasebox.stages.doctor.finding import Finding
from phrasebox.stages.doctor.machine import machine
from phrasebox.stages.doctor.models import models
from phrasebox.stages.doctor.tables import tables
from phrasebox.stages.doctor.twins import twins
from phrasebox.workspace.workspace import Workspace

__all__ = ["Finding", "examine"]


def examine(ws: Path | None = None, device: str = "cpu", workers: int = 2) -> Iterator[Finding]:
    """Look at one thing after the other; nothing is changed.

    Tables are streamed and vectors and pictures looked at in samples, so memory does not grow with the data but for a
    few bytes an image.

    Parameters
    ----------
    ws : path, optional
        A workspace; without it the machine alone is looked at.
    device : str
        The torch device that is meant to be used.
    workers : int
        Processor threads.
    """
    yield from machine(ws or Path(), device)
    if ws is None:
        return
    try:
        workspace = Workspace(ws)
        yield from tables(workspace)
        yield from models(workspace, workers)
        yield from captions(workspace)
        yield from twins(workspace, workers)
    except WorkspaceError as error:
        yield Finding("broken", "workspace", *_split(error))


def _split(error: WorkspaceError) -> tuple[str, str]:
    what, _, remedy = str(error).partition("; ")
    return what, remedy

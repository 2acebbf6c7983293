"""Check the machine, a workspace and its data; report problems and how to solve them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from phrasebox.errors import WorkspaceError
from phrasebox.stages.doctor.captions import captions
from phrasebox.stages.doctor.finding import MARKS, Finding
from phrasebox.stages.doctor.machine import machine
from phrasebox.stages.doctor.models import models
from phrasebox.stages.doctor.pending import Step, next_steps
from phrasebox.stages.doctor.tables import tables
from phrasebox.stages.doctor.twins import twins
from phrasebox.workspace.workspace import Workspace

__all__ = ["MARKS", "Finding", "Step", "examine", "next_steps"]


def examine(ws: Path | None = None, device: str = "cpu", workers: int = 2) -> Iterator[Finding]:
    """Run all checks; nothing is changed.

    Tables are streamed, vectors and images are sampled; memory grows by a few bytes per image.

    Parameters
    ----------
    ws : path, optional
        A workspace; without it, only the machine is checked.
    device : str
        The torch device to check.
    workers : int
        Number of processor threads.
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

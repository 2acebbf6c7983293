"""phrasebox reproduce: print the commands that made a workspace."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path

from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.shared import say, session


def reproduce(ws: WorkspacePath, /, *, into: Path | None = None, common: Common = COMMON) -> None:
    """Print the commands that make the same workspace again.

    Parameters
    ----------
    into
        Workspace folder in the printed commands; default: the same folder.
    """
    from phrasebox.stages.reproduce import reproduce as job

    with session(ws, common, writes=False) as opened:
        steps = job(opened.workspace, into)
    lines = [line for step in steps for line in (*(f"# {note}" for note in step.notes), shlex.join(step.command))]
    say(common, {"steps": [asdict(step) for step in steps]}, *lines)

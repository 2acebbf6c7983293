"""Shared by the commands that train: distributed processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from phrasebox.cli.app import Common
from phrasebox.cli.shared import Session, session


@contextmanager
def together(ws: Path, common: Common) -> Iterator[tuple[Session, Common]]:
    """Join the process group if torchrun started one, and open the workspace; only rank 0 locks it and prints."""
    from phrasebox.training import distributed

    with distributed.joined(common.device) as device:
        if not distributed.first():
            common = replace(common, quiet=True, json=False)
        common = replace(common, device=device)
        with session(ws, common, writes=distributed.first()) as opened:
            yield opened, common

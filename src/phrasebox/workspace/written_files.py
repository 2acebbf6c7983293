"""The files that a workspace's exports wrote: a line each time, so that no lock is needed."""

from __future__ import annotations

import json
from pathlib import Path

from phrasebox.errors import StoreError
from phrasebox.io.paths import in_store, reaching

NAME = "exports.jsonl"
_LARGEST = 1 << 24  # bytes


def read(workspace: Path) -> dict[str, str]:
    """File -> what was noted of it last; lines that a killed process left incomplete are ignored."""
    try:
        with reaching(workspace), (workspace / NAME).open("rb") as file:
            lines = file.read(_LARGEST).decode("utf-8", "replace").splitlines()
    except OSError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        try:
            target, digest = json.loads(line)
            found[str(target)] = str(digest)
        except (ValueError, TypeError):
            continue
    return found


def note(workspace: Path, target: str, digest: str) -> None:
    """Note a file and its digest; nothing if the workspace cannot be written to."""
    # A line break before it as well: the line of a process that was killed may be incomplete.
    line = f"\n{json.dumps([target, digest])}\n".encode("utf-8", "backslashreplace")
    try:
        with reaching(workspace):
            if in_store(workspace):
                file = workspace / NAME
                file.write_bytes((file.read_bytes() if file.exists() else b"") + line)
            else:
                with (workspace / NAME).open("ab") as opened:
                    opened.write(line)
    except (OSError, StoreError):
        return

"""``phrasebox serve`` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOKEN = "a-token-of-the-test"
PATIENCE = 300.0  # seconds until a test gives up, on however slow a machine


@dataclass(frozen=True)
class Serving:
    """A server: its address and process."""

    url: str
    process: subprocess.Popen[str]


@contextmanager
def serving(ws: Path, *options: str) -> Iterator[Serving]:
    """Serve a workspace; at the end the server must have written no errors, unless it was killed."""
    command = [sys.executable, "-m", "phrasebox", "serve", str(ws), "--port", "0", "--json", "--workers", "1", *options]
    environment = os.environ | {"PHRASEBOX_TOKEN": TOKEN}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        yield Serving(json.loads(line)["url"], process)
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
        assert errors == ""

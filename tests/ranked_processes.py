"""Start processes that meet on the loopback, as torchrun starts them, and look at how each ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 300.0  # seconds after which processes count as hanging, on however busy a machine


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and what it wrote."""

    code: int
    out: str
    err: str


def start(count: int, *arguments: object, **environment: str) -> list[subprocess.Popen]:
    """Start ``python ARGUMENTS`` once for every rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = os.environ | {
        "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
    } | environment  # fmt: skip
    return [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", *map(str, arguments)],
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def end(processes: list[subprocess.Popen]) -> list[Ended]:
    """Wait for all of them; one that hangs is killed, and fails the test."""
    try:
        told = [process.communicate(timeout=PATIENCE) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [Ended(p.returncode, out, err) for p, (out, err) in zip(processes, told, strict=True)]


def run(count: int, script: Path, *arguments: object) -> None:
    """Run a script in ``count`` processes to its good end."""
    for rank, ended in enumerate(end(start(count, script, *arguments))):
        assert ended.code == 0, f"process {rank}: {ended.err}"

"""Run phrasebox commands in forks of one process that has the heavy imports behind it, and send them signals.

Run as a script this is that process: it reads one request a line from standard input and answers with one line.
A fork starts at the work itself, so that a moment drawn at random falls into the work and not into the imports.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

SMALL = (
    "--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27",
    "--runtime", "torch",
    "--workers", "2",
)  # fmt: skip
"""Options of ``regions`` for which the forks have the network in memory."""

_PATIENCE = 600.0  # seconds after which a command counts as hanging, on however busy a machine
_SMALL_BATCHES = {f"phrasebox.stages.{job}._BATCH": 4 for job in ("import_", "regions", "ground")}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: exit code, negative for the signal that killed it, processor seconds, what it wrote."""

    code: int
    seconds: float
    out: str
    err: str

    @property
    def reason(self) -> str:
        """The one line of a command that failed for a reason it knows."""
        assert self.code > 0, f"ended with {self.code}: {self.err}"
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("phrasebox: "), self.err
        return lines[0]


class Forks:
    """The process that forks, and what it is asked for; ``folder`` takes what the commands write."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._files = folder / "out", folder / "err"
        self._server = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"} | environment,
        )

    def run(self, *arguments: object, signals: list[tuple[float, int]] | None = None, **limits: Any) -> Ended:
        """Run ``phrasebox ARGUMENTS`` to its end, in small batches.

        Parameters
        ----------
        signals : list of (float, int)
            Seconds of processor time, and the signal that is sent once the command has used them, if it still runs.
        limits
            ``largest_file`` in bytes; ``powerless``, True for a process for which no permission is waived.
        """
        request = {"arguments": arguments, "signals": signals or [], "files": self._files, **limits}
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(request, default=str) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        command = " ".join(map(str, arguments))
        assert not answer["hung"], f"phrasebox {command} hangs after {answer['seconds']} s of processor time"
        out, err = (file.read_text(encoding="utf-8", errors="replace") for file in self._files)
        return Ended(answer["code"], answer["seconds"], out, err)

    def close(self) -> None:
        """End the process."""
        self._server.communicate()


def serve() -> None:
    """Answer requests until standard input ends."""
    _load()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _command(request)
        print(json.dumps(_watch(child, request["signals"])), flush=True)


def _load() -> None:
    """Import what every command imports, and read the networks; nothing here may leave a thread behind."""
    import torch

    from phrasebox import cli, show, stages  # noqa: F401
    from phrasebox.evaluate import java_metrics
    from phrasebox.io import sample  # noqa: F401
    from phrasebox.regions import extractor
    from phrasebox.regions.backbones import load_backbone
    from phrasebox.text.word_vectors import WordVectors

    for name in ("lancedb", "matplotlib.backends.backend_agg", "pyarrow.parquet", "safetensors.torch"):
        importlib.import_module(name)
    torch.set_num_threads(1)
    java_metrics.shutil = SimpleNamespace(which=lambda name: None)  # its Java program would outlive a killed command
    extractor.load_backbone = functools.cache(load_backbone)
    extractor.load_backbone("efficientnet-lite0", "torch", "cpu", input_size=96, threads=2)
    WordVectors()
    for name, value in _SMALL_BATCHES.items():
        module, _, attribute = name.rpartition(".")
        setattr(importlib.import_module(module), attribute, value)


def _command(request: dict[str, Any]) -> NoReturn:
    """Be the command, to its end."""
    for number, file in enumerate((os.devnull, *request["files"])):
        opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(opened, number)
    if request.get("powerless"):
        _give_up_power()
    if size := request.get("largest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    from phrasebox import cli

    try:
        cli.main(request["arguments"])
        code = 0
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # type: ignore[arg-type]  # taking the interpreter down takes seconds in a fork


def _give_up_power() -> None:
    """Let permissions bind root too: drop every capability."""
    if os.geteuid() == 0:
        header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        if ctypes.CDLL(None, use_errno=True).capset(header, none):
            raise OSError(ctypes.get_errno(), "capset")


def _watch(child: int, signals: list[tuple[float, int]]) -> dict[str, Any]:
    """Send the signals and wait for the end."""
    due = sorted((after, number) for after, number in signals)
    begun = time.monotonic()
    hung = False
    while True:
        ended, status, used = os.wait4(child, os.WNOHANG)
        if ended:
            seconds = used.ru_utime + used.ru_stime
            return {"code": os.waitstatus_to_exitcode(status), "hung": hung, "seconds": seconds}
        passed = time.monotonic() - begun
        if passed > _PATIENCE and not hung:
            hung = True
            os.kill(child, signal.SIGKILL)
        # On Linux the processor's time, so that a busy machine does not move the moment; elsewhere the clock's.
        with contextlib.suppress(OSError):  # it ended just now
            passed = time.clock_gettime(~child << 3 | 2) if sys.platform == "linux" else passed
        while due and due[0][0] <= passed:
            os.kill(child, due.pop(0)[1])
        time.sleep(0.0005)


if __name__ == "__main__":
    serve()

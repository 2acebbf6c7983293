"""What all tests share: one thread a process, hypothesis without a clock, folders made once a run, the command line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest
from filelock import FileLock

from phrasebox.io.offline import SWITCHES

sys.path.insert(0, str(Path(__file__).parent))  # for helpers

hypothesis.settings.register_profile("phrasebox", deadline=None, derandomize=True)
hypothesis.settings.load_profile("phrasebox")


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Sums in one order, so that equal seeds give equal bytes; and small matrices gain nothing from threads."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _online_again():
    """Undo `go_offline` after each test: what it sets in the environment, and in huggingface_hub."""
    from huggingface_hub import constants

    environment, hub = {switch: os.environ.get(switch) for switch in SWITCHES}, constants.HF_HUB_OFFLINE
    yield
    for switch, value in environment.items():
        if value is None:
            os.environ.pop(switch, None)
        else:
            os.environ[switch] = value
    constants.HF_HUB_OFFLINE = hub


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Folders that one worker of a run fills and all others only read, or copy."""
    base = tmp_path_factory.getbasetemp()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-once"
    base.mkdir(exist_ok=True)

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, finished = base / name, base / f"{name}.finished"
        with FileLock(base / f"{name}.lock"):
            if not finished.exists():
                folder.mkdir()
                fill(folder)
                finished.touch()
        return folder

    return make


class Result(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    @property
    def reason(self) -> str:
        """The one line of a command that failed."""
        assert self.code == 1
        assert self.out == ""
        line, *more = self.err.splitlines()
        assert more == []
        assert line.startswith("phrasebox: ")
        return line


@pytest.fixture
def call(capsys):
    """Run a command line in this process."""
    from phrasebox import cli

    def run(*arguments) -> Result:
        capsys.readouterr()
        code = 0
        try:
            cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        return Result(code, *capsys.readouterr())

    return run


_LONG = ("web", "stages", "pipeline", "faults", "stores", "cli", "aligner", "captioner")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the packages that take longest, so that no worker of a parallel run is left with one at the end."""
    items.sort(key=lambda item: _place(item.path.parent.parts[-2:]))


def _place(folders: tuple[str, ...]) -> int:
    return next((i for i, package in enumerate(_LONG) if package in folders), len(_LONG))

"""What all tests share: one thread a process, hypothesis without a clock, and folders made once a run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

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


_LONG = ("web", "stages", "pipeline", "faults", "stores", "cli", "aligner", "captioner")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the packages that take longest, so that no worker of a parallel run is left with one at the end."""
    items.sort(key=lambda item: _place(item.path.parent.parts[-2:]))


def _place(folders: tuple[str, ...]) -> int:
    return next((i for i, package in enumerate(_LONG) if package in folders), len(_LONG))

"""What a command imports: nothing that is slow to import unless it computes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phrasebox.cli import COMMANDS
from phrasebox.types import Caption, Example, GroundedCaption, Phrase, Regions
from phrasebox.workspace.run_log import Run
from phrasebox.workspace.workspace import Workspace

TORCH = {"torch", "torchvision", "timm", "transformers", "openvino"}


def imported(arguments: list[str]) -> set[str]:
    """The modules that a command has loaded by its end."""
    code = f"import sys\nfrom phrasebox.cli import main\nmain({arguments!r})\nprint('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one grounded image and a record of how it was imported."""
    folder = tmp_path_factory.mktemp("start")
    Image.new("RGB", (10, 10)).save(folder / "a.jpg")
    ws = Workspace.create(folder / "ws")
    ws.append_images([Example("a", folder / "a.jpg", (Caption("A dog"),), "train")], [(10, 10)])
    vectors = np.ones((1, 4), np.float16)
    ws.append_regions([Regions(np.array([[0, 0, 10, 10]], np.float32), np.ones(1, np.float32), 10, 10, vectors, "a")])
    phrase = Phrase("A dog", (0, 5), (0, 0, 10, 10), 1.0, 1.0)
    ws.append_phrases({"a": [GroundedCaption("A dog", (phrase,))]})
    ws.made(Run("import", {"source": "a.json"}))
    return ws.path


@pytest.mark.parametrize(
    ("arguments", "slow"),
    [
        pytest.param(["--version"], {*TORCH, "lancedb", "pyarrow", "matplotlib"}, id="version"),
        pytest.param(["--help"], {*TORCH, "lancedb", "pyarrow", "matplotlib"}, id="help"),
        pytest.param(["reproduce", "WS"], {*TORCH, "lancedb", "matplotlib"}, id="reproduce"),
        pytest.param(["export", "WS", "OUT", "--format", "odvg"], {*TORCH, "matplotlib"}, id="export"),
    ],
)
def test_a_command_that_computes_nothing_imports_no_network(
    arguments: list[str], slow: set[str], workspace: Path, tmp_path: Path
) -> None:
    """The libraries that take seconds to import stay away."""
    places = {"WS": str(workspace), "OUT": str(tmp_path / "out.jsonl")}
    assert not imported([places.get(word, word) for word in arguments]) & slow


def test_a_command_imports_itself_alone() -> None:
    """The list of all commands is told without importing them."""
    commands = {f"phrasebox.cli.{found.split(':')[0]}" for found in COMMANDS.values()}
    assert not imported(["--help"]) & commands
    assert imported(["reproduce", "--help"]) & commands == {"phrasebox.cli.reproduce"}


@pytest.mark.parametrize("arguments", [["point", "PICTURE", "A dog"], ["describe", "PICTURE"]])
def test_a_model_imports_torch_and_no_more(arguments: list[str], tmp_path: Path) -> None:
    """The networks come converted from the cache, the sentence encoder and the proposer run in torch."""
    picture = tmp_path / "picture.png"
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)).save(picture)
    arguments = [str(picture) if word == "PICTURE" else word for word in arguments]
    imported(arguments)  # converts the networks, where that was never done
    assert not imported(arguments) & {"timm", "transformers", "torchvision", "torch._dynamo", "matplotlib"}

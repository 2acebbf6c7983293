"""Kill a stage at moments drawn at random, go on, and compare with the same stage left in peace."""

from __future__ import annotations

import json
import random
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lancedb
from forks import SMALL, Forks

from phrasebox.workspace.workspace import TABLES

KILLS_IN_A_ROW = 4
COMMANDS = {
    "import": ["import", "DATA", "WS"],
    "regions": ["regions", "WS", *SMALL],
    "align": ["align", "WS", "--epochs", "4", "--batch", "4", "--dim", "16"],
    "ground": ["ground", "WS"],
    "caption": [
        "caption", "WS", "--epochs", "2", "--reward-epochs", "1", "--batch", "4", "--dim", "16", "--min-count", "1",
    ],
    "odvg": ["export", "WS", "WS/out/pairs.jsonl", "--format", "odvg"],
    "coco-grounding": ["export", "WS", "WS/out/pairs.json", "--format", "coco-grounding"],
    "parquet": ["export", "WS", "WS/out/pairs.parquet", "--format", "parquet"],
    "coco-detection": ["export", "WS", "WS/out/boxes.json", "--format", "coco-detection", "--min-count", "2"],
}  # fmt: skip
"""The stages in the order they need each other."""

ALL = COMMANDS | {
    "index": ["index", "WS"],
    "evaluate": ["evaluate", "WS", "--split", "val"],
    "describe": ["describe", "DATA/images", "-o", "WS/said/described.jsonl", "--model", "WS/models/captioner"],
}
"""With the commands whose results nothing else is made from."""


SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
"""What ends a command: at once, from a scheduler or a container, from the keyboard."""

_FILES = ("models/*/*", "out/*", "said/*", "results/*", "search/*/*/*.safetensors", "search/*/*/*.npy")
_INDEX = "search/*/lancedb"


@dataclass(frozen=True, slots=True)
class Left:
    """What a stage left in the workspace: rows in no order, of tables and search indices; settings; files."""

    rows: dict[str, list[bytes]]
    stages: dict[str, Any]
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage in peace: the workspace before it, how long it took, and what it left."""

    name: str
    before: Path
    seconds: float
    left: Left


def left_in(ws: Path) -> Left:
    """Look at everything in a workspace but the times it was made at."""
    files = {
        path.relative_to(ws).as_posix(): _without_seconds(path)
        for path in sorted(path for pattern in _FILES for path in ws.glob(pattern))
        if path.suffix not in (".new", ".part", ".pt") and path.is_file()
    }
    stages = json.loads((ws / "manifest.json").read_text())["stages"]
    rows = {name: _rows(ws / "db", name) for name in TABLES}
    rows |= {folder.relative_to(ws).as_posix(): _rows(folder, "regions") for folder in ws.glob(_INDEX)}
    return Left(rows, stages, files)


def peaceful(forks: Forks, data: Path, folder: Path) -> Iterator[Stage]:
    """Run every stage once, uninterrupted; ``folder`` keeps the workspaces in between."""
    ws = folder / "ws"
    for name in ALL:
        before = folder / f"before-{name}"
        shutil.copytree(ws, before) if ws.exists() else before.mkdir()
        ended = forks.run(*command(name, data, ws))
        assert ended.code == 0, ended.err
        yield Stage(name, before, ended.seconds, left_in(ws))
    shutil.rmtree(ws)


def survives(forks: Forks, stage: Stage, data: Path, folder: Path, moments: int, seed: int) -> None:
    """Assert that a stage killed at ``moments`` moments, a few in a row, ends at what it leaves in peace.

    The `SIGNALS` take turns.
    """
    rng = random.Random(f"{stage.name} {seed}")
    ws = folder / "ws"
    while moments > 0:
        shutil.rmtree(ws, ignore_errors=True)
        shutil.copytree(stage.before, ws)
        killed_at = []
        while moments > 0 and len(killed_at) < KILLS_IN_A_ROW:
            after = rng.uniform(0, stage.seconds)
            number = SIGNALS[moments % len(SIGNALS)]
            ended = forks.run(*command(stage.name, data, ws), signals=[(after, number)])
            ends = 130 if number == signal.SIGINT else -number
            assert ended.code in (0, ends), f"{stage.name} after {killed_at}: {ended.err}"
            _exports_are_whole(ws, stage)
            killed_at.append(round(after, 3))
            moments -= 1
        ended = forks.run(*command(stage.name, data, ws))
        assert ended.code == 0, f"{stage.name} after {killed_at}: {ended.err}"
        _same(left_in(ws), stage.left, f"{stage.name} killed after {killed_at} s")


def command(name: str, data: Path, ws: Path) -> list[str]:
    """The command line of a stage."""
    return [part.replace("DATA", str(data)).replace("WS", str(ws)) for part in ALL[name]] + ["--quiet"]


def _rows(db: Path, name: str) -> list[bytes]:
    if not (db / f"{name}.lance").exists():
        return []
    table = lancedb.connect(db).open_table(name).to_arrow()
    # Taken, not sliced: the bytes of a slice depend on what stands beside it.
    return sorted(table.take([i]).to_batches()[0].serialize().to_pybytes() for i in range(len(table)))


def _without_seconds(path: Path) -> bytes:
    if path.name != "history.json":
        return path.read_bytes()
    epochs = json.loads(path.read_text())
    return json.dumps(
        [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in epochs]
    ).encode()


def _exports_are_whole(ws: Path, stage: Stage) -> None:
    for path in ws.glob("out/*"):
        if path.suffix != ".part":
            assert path.read_bytes() == stage.left.files[path.relative_to(ws).as_posix()], f"{path.name} is not whole"


def _same(found: Left, wanted: Left, when: str) -> None:
    assert found.rows.keys() == wanted.rows.keys(), when
    for name in wanted.rows:
        assert found.rows[name] == wanted.rows[name], f"{when}: other rows in {name}"
    assert found.stages == wanted.stages, when
    assert found.files.keys() == wanted.files.keys(), when
    differing = [name for name in wanted.files if found.files[name] != wanted.files[name]]
    assert not differing, f"{when}: other bytes in {differing}"

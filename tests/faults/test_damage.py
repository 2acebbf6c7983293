"""Files that were cut or changed: one line that names them, or the same result; a moved workspace goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from killing import command, left_in

DAMAGED = {  # file of a workspace -> commands that read it
    "manifest.json": ("export", "ground", "regions"),
    "db/images.lance/data/*.lance": ("ground",),
    "db/regions.lance/data/*.lance": ("align",),
    "db/phrases.lance/data/*.lance": ("odvg",),
    "db/phrases.lance/_versions/*": ("odvg",),
    "models/aligner/*.safetensors": ("ground",),
    "models/aligner/config.json": ("ground",),
    "decisions.jsonl": ("odvg",),
}

_DECISIONS = b'{"id": "1.png#0#0-3", "verdict": "accept"}\n' * 3


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def empty(data: bytes) -> bytes:
    return b""


def flipped(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


@pytest.mark.parametrize("damage", [cut, empty, flipped])
@pytest.mark.parametrize("pattern", DAMAGED)
def test_damage_is_told_in_one_line(pattern, damage, forks, before, data):
    ws = before("parquet")  # with everything in it
    files = sorted(ws.glob(pattern)) or [ws / pattern]
    file = max(files, key=lambda path: path.stat().st_size if path.exists() else 0)
    file.write_bytes(damage(file.read_bytes() if file.exists() else _DECISIONS))
    for stage in DAMAGED[pattern]:
        arguments = ["export", str(ws), str(ws / "new.jsonl"), "--format", "odvg"]
        ended = forks.run(*(arguments if stage in ("export", "odvg") else command(stage, data, ws)))
        if ended.code:
            assert ended.reason


def test_a_moved_workspace_goes_on(forks, before, stages, data, tmp_path):
    ws = Path(shutil.move(before("coco-grounding"), tmp_path / "elsewhere"))
    ended = forks.run(*command("coco-grounding", data, ws))
    assert ended.code == 0, ended.err
    assert left_in(ws) == stages["coco-grounding"].left

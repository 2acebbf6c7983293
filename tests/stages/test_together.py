"""Training in two processes, as torchrun starts them, through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import ranked_processes

EPOCHS = 16
# Processes and micro-batches draw their own dropout, so results are the same only without it.
ALIGN = ("align", "--epochs", EPOCHS, "--batch", 2, "--dim", 16, "--patience", 0, "--dropout", 0)
CAPTION = ("caption", "--epochs", 3, "--reward-epochs", 0, "--batch", 2, "--dim", 16, "--min-count", 1,
           "--data", "images", "--dropout", 0)  # fmt: skip


def history(ws, name):
    epochs = json.loads((ws / "models" / name / "history.json").read_text())
    return [{key: value for key, value in epoch.items() if key != "seconds"} for epoch in epochs]


def losses(ws, name):
    return [epoch["loss"] for epoch in history(ws, name)]


def two(ws, command, name):
    return ranked_processes.start(2, "-m", "phrasebox", command[0], ws, *command[1:], "--name", name)


@pytest.fixture
def torchrun():
    """Run a command in two processes under torchrun."""

    def run(*arguments) -> ranked_processes.Ended:
        done = subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone",
             "-m", "phrasebox", *map(str, arguments)],
            env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
            capture_output=True, text=True, timeout=ranked_processes.PATIENCE,
        )  # fmt: skip
        return ranked_processes.Ended(done.returncode, done.stdout, done.stderr)

    return run


def test_two_processes_align_as_one_and_go_on_after_a_kill(at, call, torchrun):
    ws = at("regions")
    assert call("align", ws, *ALIGN[1:], "--name", "alone", "--quiet").code == 0

    together = torchrun("align", ws, *ALIGN[1:], "--name", "together")
    assert together.code == 0, together.err
    assert together.out.count("\n") == 1, "only the first process speaks"
    assert [line.split(",")[0] for line in together.err.splitlines() if line.startswith("epoch")] == [
        f"epoch {i + 1} of {EPOCHS}" for i in range(EPOCHS)
    ]
    np.testing.assert_allclose(losses(ws, "together"), losses(ws, "alone"), rtol=1e-3)
    assert not (ws / "models/together/vectors").exists()

    first, other = two(ws, ALIGN, "killed")
    assert first.stderr
    told = []
    while not any(line.startswith("epoch 2 of") for line in told):
        told.append(first.stderr.readline())
        assert told[-1], told
    other.kill()
    ended = ranked_processes.end([first, other])
    assert ended[0].code == 1
    last = ended[0].err.splitlines()[-1]
    assert last.startswith("phrasebox, process 0: another process of this training (of 2, this is 0) ended")
    assert last.endswith("run the same command again to continue")
    assert not (ws / "models/killed/config.json").exists()

    resumed = ranked_processes.end(two(ws, ALIGN, "killed"))
    assert [e.code for e in resumed] == [0, 0], resumed
    assert "epoch 2 of" not in resumed[0].err
    assert resumed[1].out == ""
    assert history(ws, "killed") == history(ws, "together")
    for file in ("model.safetensors", "bank.safetensors", "config.json"):
        assert (ws / "models/killed" / file).read_bytes() == (ws / "models/together" / file).read_bytes(), file
    lines = call("reproduce", ws).out
    assert f"torchrun --nproc-per-node 2 -m phrasebox align {ws}" in lines


def test_two_processes_caption_as_one(at, call):
    ws = at("regions")
    assert call("caption", ws, *CAPTION[1:], "--name", "alone", "--quiet").code == 0
    together = ranked_processes.end(two(ws, (*CAPTION, "--micro-batch", 1, "--memory", "1KB"), "together"))
    assert [e.code for e in together] == [0, 0], together
    assert together[1].out == ""
    assert "CIDEr-D" in together[0].err
    np.testing.assert_allclose(losses(ws, "together"), losses(ws, "alone"), rtol=1e-3)


def test_what_is_wrong_is_said_by_each(at):
    for rank, ended in enumerate(ranked_processes.end(two(at("imported"), ALIGN, "none"))):
        assert ended.code == 1
        assert ended.err.splitlines()[-1].startswith(f"phrasebox, process {rank}: ")

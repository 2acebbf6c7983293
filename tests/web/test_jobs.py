"""Jobs: one at a time, in a process of its own, watched, stopped, gone on with, and found again after a crash."""

from __future__ import annotations

import math
import sys
import time

import pytest

from phrasebox.aligner.train import AlignEpoch
from phrasebox.captioner.train import CaptionEpoch
from phrasebox.errors import NotFoundError, SettingsError, WorkspaceError
from phrasebox.web import jobs as module
from phrasebox.web.job_log import curve_in, progress_in
from phrasebox.web.job_stages import STAGES, stage_of
from phrasebox.web.jobs import Jobs
from phrasebox.workspace.workspace import Workspace

# A command that tells epochs until it is let, stopped or killed.
_COMMAND = """
import signal, sys, time
from pathlib import Path
folder, arguments = Path(sys.argv[1]), sys.argv[2:]
signal.signal(signal.SIGINT, signal.default_int_handler)
code = 0
try:
    print("epoch 1 of 3, loss 1.500, 4 s left", file=sys.stderr, flush=True)
    while not (folder / "let").exists():
        time.sleep(0.01)
    if "--fresh" in arguments:
        print(f"phrasebox: {arguments[1]} is damaged", file=sys.stderr)
        code = 1
    else:
        print("epoch 2 of 3, loss 1.250, 2 s left", file=sys.stderr)
        print(" ".join(arguments))
    if arguments[0] == "doctor":
        print("BROKEN workspace the folder", arguments[1], "has no pictures -> import some")
        code = 1
    if (folder / "fail").exists():
        print("phrasebox: no space is left", file=sys.stderr)
except KeyboardInterrupt:
    code = 130
(folder / "code").write_text(str(code))
sys.exit(code)
"""


@pytest.fixture
def ws(tmp_path) -> Workspace:
    return Workspace.create(tmp_path / "ws")


@pytest.fixture
def told():
    return []


@pytest.fixture
def jobs(ws, told, monkeypatch):
    monkeypatch.setattr(module, "_RUN", [sys.executable, "-S", "-c", _COMMAND])
    monkeypatch.setattr(module, "_PATIENCE", 30.0)
    ended = []
    jobs = Jobs(ws, ["--device", "cpu"], told.append, lambda: ended.append(1))
    jobs.ended_for_test = ended
    yield jobs
    if job := jobs.running():
        jobs._end(job.id, job.pid)


def until(check) -> None:
    end = time.monotonic() + 120
    while not check():
        assert time.monotonic() < end
        time.sleep(0.01)


def let(ws, job) -> None:
    (ws.path / "jobs" / job["id"] / "let").touch()


def state(jobs, job) -> str:
    return jobs.get(job["id"]).state


def test_a_job_is_watched_to_its_end(jobs, ws, told):
    job = jobs.start("align", {"epochs": 3, "name": "mine"})
    assert (job["state"], job["command"]) == ("running", "phrasebox align WS --epochs 3 --name mine")
    until(lambda: jobs.to_json(jobs.get(job["id"]))["progress"])
    now = jobs.to_json(jobs.get(job["id"]))
    assert (now["progress"]["done"], now["progress"]["left"], now["curve"]) == (1, 4.0, [{"epoch": 1.0, "loss": 1.5}])
    with pytest.raises(WorkspaceError, match="align is running"):
        jobs.start("ground", {})
    let(ws, job)
    until(lambda: state(jobs, job) == "finished")
    jobs.look()
    end = told[-1]
    assert end["result"] == "align WS --epochs 3 --name mine --device cpu"  # without paths of this machine
    assert ([one["loss"] for one in end["curve"]], end["progress"]) == ([1.5, 1.25], None)
    assert jobs.ended_for_test == [1]
    first = jobs.log(job["id"], 0)
    assert first["text"].splitlines()[0] == "epoch 1 of 3, loss 1.500, 4 s left"
    assert (first["ended"], jobs.log(job["id"], first["offset"])["text"]) == (True, "")


def test_stopped_and_gone_on_with(jobs, ws):
    job = jobs.start("align", {"epochs": 3})
    until(lambda: jobs.log(job["id"], 0)["text"])
    jobs.stop(job["id"])
    until(lambda: state(jobs, job) == "stopped")
    again = jobs.go_on(job["id"])
    assert (again["options"], again["id"] != job["id"]) == ({"epochs": 3}, True)
    let(ws, again)
    until(lambda: state(jobs, again) == "finished")
    assert [one.id for one in jobs.list()] == [again["id"], job["id"]]


def test_why_it_failed_in_one_line(jobs, ws):
    job = jobs.start("align", {"fresh": True})
    let(ws, job)
    until(lambda: state(jobs, job) == "failed")
    assert jobs.get(job["id"]).error == "WS is damaged"


def test_what_doctor_found_is_no_failure(jobs, ws):
    job = jobs.start("doctor", {})
    let(ws, job)
    until(lambda: state(jobs, job) == "found")
    told = jobs.to_json(jobs.get(job["id"]))
    assert told["result"].endswith("BROKEN workspace the folder WS has no pictures -> import some")
    assert told["error"] == "workspace the folder WS has no pictures -> import some"


def test_a_doctor_that_failed_says_so(jobs, ws):
    job = jobs.start("doctor", {})
    (ws.path / "jobs" / job["id"] / "fail").touch()
    let(ws, job)
    until(lambda: state(jobs, job) == "failed")
    assert jobs.get(job["id"]).error == "no space is left"


def test_another_process_finds_it_and_a_killed_one_is_stopped(jobs, ws):
    job = jobs.start("ground", {})
    until(lambda: jobs.log(job["id"], 0)["text"])
    other = Jobs(Workspace(ws.path), [])  # as after a crash of the service
    assert other.running().id == job["id"]
    with pytest.raises(WorkspaceError, match="is running"):
        other.start("ground", {})
    module.os.killpg(job_pid(jobs, job), 9)
    until(lambda: state(other, job) == "stopped")
    assert other.running() is None


def job_pid(jobs, job) -> int:
    return jobs.get(job["id"]).pid


def test_not_beside_another_command(jobs, ws):
    with ws.lock(), pytest.raises(WorkspaceError, match="another phrasebox command"):
        jobs.start("ground", {})


@pytest.mark.parametrize(
    ("stage", "options", "kind", "reason"),
    [
        ("serve", {}, NotFoundError, "no job is called 'serve'"),
        ("align", {"config": "/etc/passwd"}, SettingsError, "takes no config"),
        ("align", {"epochs": 1.5}, SettingsError, "epochs must be a value of kind int"),
        ("align", {"epochs": True}, SettingsError, "epochs must be"),
        ("align", {"fresh": "yes"}, SettingsError, "fresh must be"),
        ("align", {"name": "../out"}, SettingsError, "name must be"),
        ("align", {"name": "-h"}, SettingsError, "name must be"),
        ("align", {"preset": "mine"}, SettingsError, "preset must be one of modern, paper"),
        ("ground", {"model": "nothing"}, NotFoundError, "no model 'nothing'"),
        ("doctor", {"fresh": True}, SettingsError, "no options"),
    ],
)
def test_refused(jobs, stage, options, kind, reason):
    with pytest.raises(kind, match=reason):
        jobs.start(stage, options)
    assert jobs.list() == []
    for id in ("nothing", "..", "../ws", ""):
        with pytest.raises(NotFoundError):
            jobs.get(id)


@pytest.mark.parametrize("name", STAGES)
def test_every_option_is_one_of_the_command(name):
    from phrasebox import cli

    stage = stage_of(name)
    values = {"int": 2, "float": 0.5, "bool": True, "text": "mine"}
    options = {one.name: one.values[0] if one.values else values[one.kind] for one in stage.options}
    assert stage.checked(options) == options
    command, bound, _ = cli.app.parse_args(stage.arguments("ws", options), print_error=False, exit_on_error=False)
    assert command.__name__ == name
    assert bound.args or bound.kwargs


def test_the_lines_of_both_trainings_are_understood():
    common = {"epochs": 3, "phase": "all", "loss": 1.5, "lr": 0.1, "seconds": 90.0, "warning": "1,000 words are alike"}
    recalls = {"image_to_sentence": (31.2, 50.0, 60.0), "sentence_to_image": (29.5, 50.0, 60.0), "temperature": 1.0}
    aligned = [AlignEpoch(epoch=n, **common, **recalls).line for n in (0, 1, 2)]
    told = {"val R@1 to sentences": 31.2, "val R@1 to images": 29.5, "loss": 1.5}
    assert curve_in(aligned) == [{"epoch": n, **told} for n in (1, 2, 3)]
    assert [progress_in(aligned[:n])["left"] for n in (1, 2, 3)] == [180.0, 120.0, None]
    spoken = CaptionEpoch(epoch=0, **common, cider=0.566, reward=math.nan).line
    assert curve_in([spoken]) == [{"epoch": 1, "CIDEr-D": 56.6, "loss": 1.5}]

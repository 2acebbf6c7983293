"""The command line itself: help, start-up, and bad usage."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import get_type_hints

import pytest
from rich.console import Console

from phrasebox import cli
from phrasebox.cli.app import app
from phrasebox.stages.settings import TABLES
from phrasebox.workspace.workspace import Workspace

COMMANDS = list(cli.COMMANDS)


def call(capsys, *arguments):
    """Exit code, standard output and standard error of a command line."""
    code = 0
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


@pytest.fixture
def ws(tmp_path):
    return Workspace.create(tmp_path / "ws").path


@pytest.mark.parametrize("arguments", [["--help"], ["regions", "--help"], ["--version"]])
def test_start_is_light(arguments):
    heavy = ("torch", "cv2", "openvino", "matplotlib", "lancedb", "transformers")
    program = (
        "import sys\nfrom phrasebox import cli\n"
        f"try:\n    cli.main({arguments})\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_parameter(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, err = call(capsys, command, "--help")
    assert (code, err) == (0, "")
    for explained in (
        "--json     Print the result as JSON.",
        "--quiet    Print no progress and no result, only errors.",
        "Torch device: cpu, cuda or mps.",
        "Number of processor threads.",
        "Random seed.",
    ):
        assert " ".join(explained.split()) in " ".join(out.split())
    lines = [line.strip("│ *") for line in out.splitlines() if line.startswith("│")]
    bare = [line for line in lines if line.split("[")[0].strip().replace(" STR", "").isupper()]
    assert bare == [], "each argument needs words beside its name"
    # A switch that is off has no other way to be off, but for a setting, which a preset or a file may turn on.
    hints = [item for cls in TABLES.get(command, ()) for item in get_type_hints(cls).items()]
    switches = {f"--no-{name}" for name, kind in hints if kind is bool}
    switches |= {"--no-val"} if command in ("align", "caption") else set()
    assert set(re.findall(r"--no-\w+", out)) == switches


def test_help_names_every_command_in_the_order_of_work(capsys, monkeypatch):
    monkeypatch.setattr(app, "console", Console(width=200))  # an earlier test may have made one of another width
    lines = [line.strip("│ ").split("  ")[0] for line in call(capsys, "--help")[1].splitlines() if line.startswith("│")]
    assert [line for line in lines if line and not line.startswith("-")] == COMMANDS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["regions"], "WS requires an argument"),
        (["nonsense"], 'Unknown command "nonsense"'),
        (["regions", "ws", "--nonsense"], "--nonsense"),
        (["evaluate", "ws", "--split", "dev"], 'Invalid value "dev" for --split'),
        (["ground", "ws", "--workers", "0"], 'Invalid value "0" for --workers'),
    ],
)
def test_bad_usage_is_one_line_and_code_2(arguments, message, capsys):
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.endswith("; see --help\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["regions", "absent"], "absent is not a workspace; make one with: phrasebox import"),
        (["evaluate", "absent", "--json"], "absent is not a workspace"),
        (["import", "absent.json", "ws"], "absent.json does not exist; give a file or folder"),
        (["regions", "WS", "--device", "nonsense"], "no device 'nonsense'; use --device cpu"),
        (["regions", "WS", "--proposer", "nonsense"], "proposer must be one of objectness, selective_search, grid"),
        (["regions", "WS", "--regions", "0"], "regions must be at least 1, got 0"),
        (["export", "WS", "out", "--format", "xml"], "format 'xml' is none of coco, "),
        (["align", "WS", "--batch", "1"], "batch must be at least 2"),
        (["align", "WS", "--epochs", "many"], "epochs must be a whole number, got 'many'"),
        (["align", "WS", "--config", "absent.toml"], "absent.toml cannot be read: No such file"),
        (["import", "SOURCE", "WS", "--format", "nonsense"], "format 'nonsense' is none of karpathy"),
        (["import", "SOURCE", "SOURCE/captions.txt"], "captions.txt is a file; name a folder"),
    ],
)
def test_what_a_user_can_do_wrong_is_one_line_and_code_1(arguments, message, ws, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "captions.txt").write_text("A dog .")
    code, out, err = call(capsys, *(a.replace("WS", str(ws)).replace("SOURCE", "photos") for a in arguments))
    assert (code, out) == (1, "")
    assert message in err
    assert err.startswith("phrasebox: ")
    assert err.count("\n") == 1


def test_errors_of_the_system_are_one_line(capsys, ws, monkeypatch):
    def full(self):
        raise OSError(28, "No space left on device", "ws/db")

    monkeypatch.setattr(Workspace, "lock", full)
    assert call(capsys, "regions", ws) == (1, "", "phrasebox: ws/db: No space left on device\n")


def check_stopped(program):
    """Run a program that stops itself while the command line runs, and look at how it ends."""
    before = (
        "import signal\nfrom phrasebox import cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background ignores it
    )
    done = subprocess.run([sys.executable, "-c", before + program], capture_output=True, text=True, timeout=500)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "phrasebox: stopped; run the same command again to continue\n"


def test_a_stop_that_falls_into_a_finaliser_is_not_lost():
    # Python drops an error out of a weak reference's callback, and tells so.
    program = (
        "import time, weakref\n"
        "class Thing: pass\n"
        "@cli.app.command\n"
        "def wait():\n"
        "    thing = Thing()\n"
        "    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))\n"
        "    del thing\n"
        "    time.sleep(60)\n"
        "cli.main(['wait'])\n"
    )
    check_stopped(program)


def test_a_stop_that_python_makes_another_error_of_is_one():
    # What a descriptor's ``__set_name__`` raises comes out of the class statement as a RuntimeError.
    program = (
        "class Slow:\n"
        "    def __set_name__(self, owner, name): signal.raise_signal(signal.SIGINT)\n"
        "@cli.app.command\n"
        "def define():\n"
        "    class Thing: part = Slow()\n"
        "cli.main(['define'])\n"
    )
    check_stopped(program)


def test_any_other_error_is_not_hidden(ws, monkeypatch):
    def broken(self):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(Workspace, "lock", broken)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        cli.main(["regions", str(ws)])

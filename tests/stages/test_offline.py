"""The main job opens no connection, asked to or not."""

from __future__ import annotations

import subprocess
import sys

# urllib3 binds a socket to ::1 when it is imported, to learn whether there is IPv6; nothing is sent.
GUARD = """
import os, sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect", "socket.gethostbyname", "socket.sendto") or (
        event == "socket.__new__" and int(arguments[1]) in (2, 10)
    ):
        frame = sys._getframe()
        while frame:
            if frame.f_code.co_name == "_has_ipv6" and frame.f_globals.get("__name__") == "urllib3.util.connection":
                return
            frame = frame.f_back
        with open(os.environ["SOCKETS"], "a") as file:
            file.write(f"{event} {arguments}\\n")
        raise RuntimeError("a socket was asked for")
sys.addaudithook(watch)
"""
PROGRAM = """
import sys, torch
torch.set_num_threads(1)
from phrasebox import cli
for line in sys.stdin.read().splitlines():
    cli.main(line.split("\\t"))
"""
SMALL = (
    "--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27",
)  # fmt: skip


def test_the_main_job_opens_no_socket(photographs, karpathy, tmp_path):
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    (tmp_path / "home").mkdir()
    ws, model = tmp_path / "ws", tmp_path / "ws" / "models" / "aligner"
    commands = [
        ["import", karpathy(), ws],
        ["regions", ws, *SMALL],
        ["align", ws, "--epochs", "1", "--batch", "2", "--dim", "16"],
        ["ground", ws],
        ["export", ws, tmp_path / "pairs.jsonl", "--format", "odvg"],
        ["export", ws, "--hub-folder", tmp_path / "hub"],
        ["point", photographs / "coffee.png", "A cup", "--model", model],
        ["reproduce", ws],
        ["ground", ws, "--fresh", "--offline"],
        ["doctor", ws, "--offline"],
    ]
    environment = {
        "PATH": "",
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(tmp_path / "guard"),
        "SOCKETS": str(tmp_path / "sockets"),
    }
    lines = "\n".join("\t".join(map(str, [*command, "--quiet"])) for command in commands)
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=lines, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "sockets").exists(), (tmp_path / "sockets").read_text()
    assert not (tmp_path / "home" / "intel").exists(), "OpenVINO's reports start with a folder in the home"
    assert (tmp_path / "hub" / "README.md").is_file()


def test_a_hub_model_offline_is_one_line(at, call, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    reason = call("ground", at("regions"), "--model", "nobody/nothing").reason
    assert "is not a local folder and not in the hub's cache; download it once without --offline" in reason

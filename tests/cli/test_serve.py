"""phrasebox serve: what it refuses, what it prints, how it ends."""

from __future__ import annotations

import builtins
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from phrasebox import cli

PATIENCE = 300.0
TOKEN = "a-token-of-the-test"


@pytest.fixture
def run(capsys):
    """What a command that fails tells."""

    def told(*arguments) -> str:
        with pytest.raises(SystemExit) as stopped:
            cli.main(["serve", *map(str, arguments)])
        assert stopped.value.code == 1
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        return err

    return told


def test_refused(run, tmp_path, monkeypatch):
    assert "is not a workspace" in run(tmp_path / "nothing", "--port", "0")
    assert "16 printable ASCII" in run("--host", "0.0.0.0", "--token", "short")
    monkeypatch.setenv("PHRASEBOX_TOKEN", "short")
    assert "16 printable ASCII" in run("--port", "0")
    monkeypatch.delenv("PHRASEBOX_TOKEN")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert "unknown host" in run("--host", "no.such.host.invalid", "--token", TOKEN)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1 port {port}" in run("--port", port)


def test_what_is_missing_is_named(run, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "uvicorn":
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "phrasebox.web.server", raising=False)  # another test may have imported it
    monkeypatch.setattr(builtins, "__import__", without)
    assert "uvicorn is not installed; run: pip install 'phrasebox[web]'" in run()


@pytest.fixture(autouse=True)
def _own_place_of_tokens(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def start(*arguments, **environment):
    command = [sys.executable, "-m", "phrasebox", "serve", *arguments, "--port", "0"]
    # A shell that starts something in the background lets it ignore Ctrl-C.
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def status(url, **headers) -> int:
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE).status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_token_is_made_once_and_never_logged(tmp_path):
    process = start("--host", "0.0.0.0", "--json")
    try:
        told = json.loads(process.stdout.readline())
        port = urlsplit(told["url"]).port
        token = told["entrance"].partition("?token=")[2]
        assert len(token) >= 32
        assert (tmp_path / "state" / "phrasebox" / "token").read_text() == token == told["token"]
        assert all(entrance.endswith(f"?token={token}") for entrance in told["entrances"])
        home = f"http://127.0.0.1:{port}/api/openapi.json"
        assert status(home) == 401
        assert status(home, authorization=f"Bearer {token}") == 200
        assert status(f"http://127.0.0.1:{port}/?token=wrong-{token}") == 401
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", f"/?token={token}")
        assert connection.getresponse().status == 303
        connection.request("GET", f"/nothing?token={token}", headers={"connection": "close"})
        connection.close()
    finally:
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
    assert token not in out + err


def test_addresses_for_a_phone(capsys, monkeypatch):
    from phrasebox.cli import serve
    from phrasebox.cli.app import Common

    monkeypatch.setattr("phrasebox.web.access.own_addresses", lambda: ["192.168.0.7"])
    monkeypatch.setattr("socket.gethostname", lambda: "machine")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        serve._print_addresses(listening, "0.0.0.0", TOKEN, Common())
        plain = capsys.readouterr().out.splitlines()
        assert plain[:2] == [f"http://{name}:{port}/?token={TOKEN}" for name in ("machine", "192.168.0.7")]
        assert len(plain) == 3
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        serve._print_addresses(listening, "0.0.0.0", TOKEN, Common())
        assert len(capsys.readouterr().out.splitlines()) > 15  # with a QR code
        serve._print_addresses(listening, "127.0.0.1", TOKEN, Common())
        assert len(capsys.readouterr().out.splitlines()) == 2


def test_ctrl_c_ends_it_in_peace():
    process = start(PHRASEBOX_TOKEN=TOKEN)
    try:
        entrance = process.stdout.readline().strip()
        assert entrance.endswith(f"/?token={TOKEN}")
        url = entrance.partition("?")[0]
        assert status(f"{url}api/health") == 200
        assert status(url) == 401
        assert status(f"{url}api/workspace", authorization=f"Bearer {TOKEN}") == 200
        assert status(f"{url}healthz") in (200, 503)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert (process.returncode, out.splitlines()[-1], err) == (0, "stopped", "")

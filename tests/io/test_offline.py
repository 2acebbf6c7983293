"""Nothing goes out: neither what is forbidden, nor what no one asked for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from phrasebox.errors import OfflineError
from phrasebox.io.offline import SWITCHES, go_offline, is_offline


def python(program, **environment):
    environment = {"PATH": "", **environment}
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("true", True), ("YES", True), ("0", False), ("", False)])
def test_the_switch_of_the_hub(monkeypatch, value, expected):
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert is_offline() is expected


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('192.0.2.1', 80), 1)",
        "socket.getaddrinfo('example.org', 80)",
        "socket.gethostbyname('example.org')",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))",
        "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    ],
)
def test_connections_beyond_this_machine_are_refused(attempt):
    done = python(f"import socket\nfrom phrasebox.io.offline import go_offline\ngo_offline()\n{attempt}")
    assert "OfflineError: a connection to" in done.stderr


def test_this_machine_may_be_talked_to():
    done = python(
        "import socket\nfrom phrasebox.io.offline import go_offline\ngo_offline()\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()\n"
        "socket.getaddrinfo('localhost', 80)\nsocket.getaddrinfo(None, 80)\n"
        "socket.getfqdn()\nsocket.getfqdn('0.0.0.0')\nsocket.gethostname()\n"
        "a, b = socket.socketpair()\na.send(b'x')\n"
    )
    assert done.stderr == ""


def test_libraries_are_told_whether_they_are_loaded_or_not():
    done = python(
        "import os, huggingface_hub.constants\nfrom phrasebox.io.offline import go_offline\ngo_offline()\n"
        "print(huggingface_hub.constants.HF_HUB_OFFLINE, os.environ['TRANSFORMERS_OFFLINE'])"
    )
    assert done.stdout == "True 1\n"


def test_it_ends_with_the_switch(monkeypatch):
    go_offline()
    with pytest.raises(OfflineError, match=r"a connection to no\.such\.host\.invalid was refused"):
        socket.getaddrinfo("no.such.host.invalid", 80)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("no.such.host.invalid", 80)


def switches():
    from huggingface_hub import constants

    return {switch: os.environ.get(switch) for switch in SWITCHES}, constants.HF_HUB_OFFLINE


AT_FIRST = switches()


@pytest.mark.parametrize("attempt", ["first", "second"])
def test_no_test_leaves_another_offline(attempt):
    assert switches() == AT_FIRST
    go_offline()
    assert switches() == (dict.fromkeys(SWITCHES, "1"), True)

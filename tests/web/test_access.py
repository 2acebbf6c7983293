"""Who comes in: host names against DNS rebinding, and the token."""

from __future__ import annotations

import re
import socket

import pytest
from guarded import HTML, TOKEN, guarded
from starlette.datastructures import Headers

from phrasebox.errors import SettingsError
from phrasebox.io.offline import go_offline
from phrasebox.web.access import Access, WrongTokens, is_loopback, own_token


@pytest.mark.parametrize(
    ("host", "served"),
    [
        ("localhost", True),
        ("LOCALHOST:8080", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("evil.example", False),
        ("evil.example:8080", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.0.5", False),
        ("localhost@evil.example", False),
        ("", False),
        ("[::1", True),
        ("[evil.example]", False),
    ],
)
def test_only_the_machines_own_names_on_loopback(host, served):
    answer = guarded().get("/", headers={"host": host})
    assert answer.status_code == (200 if served else 400)
    assert served or "--allow-host" in answer.json()["error"]


def test_names_beyond_loopback(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Machine")
    monkeypatch.setattr("socket.getfqdn", lambda: "machine.example")
    access = Access.on("0.0.0.0", TOKEN, ["Photos.example"])
    for host in ("192.168.0.5:80", "[fe80::1]", "machine", "machine.example:8080", "photos.example", "localhost"):
        assert access.serves(host), host
    for host in ("evil.example", "photos.example.evil.example", ""):
        assert not access.serves(host), host


def test_its_own_name_may_be_looked_up_offline():
    go_offline()
    assert Access.on("0.0.0.0", TOKEN).serves(socket.gethostname())


def test_a_token_is_demanded_where_others_come():
    for host in ("0.0.0.0", "127.0.0.1"):
        with pytest.raises(SettingsError, match="PHRASEBOX_TOKEN"):
            Access.on(host)
    for weak in ("short", "x" * 15, "with a space in between", "ümlaut-ümlaut-ümlaut", "new\nline-new-line-new"):
        with pytest.raises(SettingsError, match="16 printable"):
            Access.on("0.0.0.0", weak)
    assert Access.on("127.0.0.1", TOKEN) == Access(TOKEN, frozenset({"localhost", "127.0.0.1", "::1"}))
    assert [is_loopback(h) for h in ("127.9.9.9", "localhost", "::1", "10.0.0.1", "::", "a.b")] == [True] * 3 + [
        False
    ] * 3


@pytest.mark.parametrize("path", ["/", "/echo", "/api/echo", "/api/openapi.json", "/anything"])
def test_nothing_without_it(path):
    client = guarded(Access(TOKEN))
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}, {"cookie": f"token={TOKEN}"}):
        for method in ("GET", "POST"):
            answer = client.request(method, path, headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert list(answer.json()) == ["error"]
    assert client.get("/api/health").status_code == 200


def test_with_it():
    client = guarded(Access(TOKEN))
    for scheme in ("Bearer", "bearer"):
        assert client.post("/api/echo", headers={"authorization": f"{scheme} {TOKEN}"}, content=b"xy").text == "2"


def test_a_visitor_enters_by_the_address_and_has_a_cookie_from_then_on():
    client = guarded(Access(TOKEN))
    asked = client.get("/", headers=HTML)
    assert (asked.status_code, '<form action="/">' in asked.text) == (401, True)
    assert client.get("/?token=wrong", headers=HTML).status_code == 401
    entered = client.get(f"/?a=b&token={TOKEN}&c=%26")
    assert (entered.status_code, entered.headers["location"]) == (303, "/?a=b&c=%26")
    cookie = entered.headers["set-cookie"]
    assert re.search("HttpOnly", cookie)
    assert re.search("SameSite=lax", cookie, re.IGNORECASE)
    assert TOKEN not in cookie
    assert client.get("/", headers=HTML).text == "<h1>page</h1>"
    assert guarded(Access("another-token-of-the-test")).get("/", headers={"cookie": cookie}).status_code == 401


def test_the_address_never_leads_elsewhere():
    client = guarded(Access(TOKEN))
    for path in ("//evil.example", "/\\evil.example", "///evil.example"):
        location = client.request("GET", f"http://localhost{path}?token={TOKEN}").headers["location"]
        assert not re.match(r"(//|/\\|\w+:)", location), location
    assert guarded(Access(TOKEN)).get(f"/api/echo?token={TOKEN}").status_code == 401  # of the API in its header alone


def test_the_token_is_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda one, other: compared.append((one, other)) or one == other)
    access = Access(TOKEN)
    assert not access.admits(Headers({"authorization": "Bearer wrong"}))
    assert (b"wrong", TOKEN.encode()) in compared


def test_wrong_tokens_slow_down_and_do_not_lock_out_who_is_in():
    client = guarded(Access(TOKEN))
    client.get(f"/?token={TOKEN}")
    own = {"cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    other = guarded(Access(TOKEN))
    tries = [other.get("/api/asked", headers={"authorization": f"Bearer wrong-{n}"}) for n in range(6)]
    assert [one.status_code for one in tries] == [401] * 4 + [429] * 2
    assert int(tries[-1].headers["retry-after"]) >= 1
    right = other.get("/api/asked", headers={"authorization": f"Bearer {TOKEN}"})
    assert right.status_code == 429  # else what is wrong would be told at full speed
    assert other.get("/api/asked", headers=own).status_code == 200


def test_the_wait_doubles_and_ends():
    now = [0.0]
    wrong, waits = WrongTokens(lambda: now[0]), []
    for _ in range(12):
        wrong.add("a")
        waits.append(wrong.wait("a"))
        now[0] += waits[-1]
        assert (wrong.wait("a"), wrong.wait("b")) == (0.0, 0.0)
    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    wrong.forget("a")
    wrong.add("a")
    assert wrong.wait("a") == 0.0


def test_the_own_token_is_made_once_and_only_its_user_reads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    token, file = own_token(), tmp_path / "phrasebox" / "token"
    assert (own_token(), len(token) >= 32, file.stat().st_mode & 0o777) == (token, True, 0o600)
    file.chmod(0o644)  # others have read it
    again = own_token()
    assert (again != token, file.stat().st_mode & 0o777, own_token()) == (True, 0o600, again)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "phrasebox" / "token"))
    assert len(own_token()) >= 32  # without a place for it

"""Who comes in, what is served, and what no answer lets a browser do: one attack a test."""

from __future__ import annotations

import asyncio
import re
import socket
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from phrasebox.errors import SettingsError
from phrasebox.io.offline import go_offline
from phrasebox.web import Limits, Service
from phrasebox.web.access import Access, WrongTokens, is_loopback, own_token
from phrasebox.web.app import build
from phrasebox.web.security import Guard

CAT = "in a folder/chelsea.png"
TOKEN = "a-token-of-the-test"
HTML = {"accept": "text/html"}
SOCKET = "ws://localhost/socket"
OPEN, LIMITS = Access(), Limits()


async def _echo(request):
    return PlainTextResponse(str(len(await request.body())))


async def _broken(request):
    raise RuntimeError("secret /home/ann")


async def _shown(request):
    return HTMLResponse("RuntimeError: secret /home/ann", 500)


def guarded(access=OPEN, limits=LIMITS) -> TestClient:
    routes = [
        Route("/", lambda request: HTMLResponse("<h1>page</h1>")),
        Route("/echo", _echo, methods=["POST"]),
        Route("/api/echo", _echo, methods=["POST"]),
        Route("/broken", _broken),
        Route("/api/broken", _broken),
        Route("/shown", _shown),
        Route("/api/asked", lambda request: JSONResponse({})),
        Route("/api/health", lambda request: JSONResponse({})),
    ]
    app = Guard(Starlette(routes=routes), access, limits)
    return TestClient(app, "http://localhost", follow_redirects=False, raise_server_exceptions=False)


# Names: DNS rebinding


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


# Other sites' pages: request forgery and hijacked sockets


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # no browser
        ({"origin": "http://localhost"}, 200),
        ({"origin": "https://localhost"}, 200),  # behind a proxy
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost.evil.example"}, 403),
        ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "http://evil.example@localhost"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://[broken"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_changes_come_from_the_own_page_alone(headers, status):
    assert guarded().post("/echo", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "none"}, 200),  # an address that was typed
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),  # another port of this machine
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://evil.example"}, 403),
    ],
)
def test_other_sites_cannot_ask_the_api_either(headers, status):
    assert guarded().get("/api/asked", headers=headers).status_code == status
    assert guarded().get("/", headers=headers).status_code in (200, 403)
    if "origin" not in headers:
        assert guarded().get("/", headers=headers).status_code == 200  # a link to the page is followed


def test_there_are_no_sockets():
    with pytest.raises(WebSocketDisconnect), guarded().websocket_connect(SOCKET):
        pass


# The token


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


# What answers say to a browser


def test_headers_on_every_answer():
    client = guarded(Access(TOKEN))
    known = {"authorization": f"Bearer {TOKEN}"}
    answers = [
        client.get("/", headers=known),
        client.get("/", headers=HTML),
        client.get("/nothing", headers=known),
        client.get("/broken", headers=known),
        client.get("/", headers={"host": "evil.example"}),
        client.post("/echo", headers=known, content=bytes(2 << 20)),
        client.get("/api/health"),
        client.get("/api/nothing", headers=known),
        client.get(f"/?token={TOKEN}"),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 404, 500, 400, 413, 200, 404, 303]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "http" not in policy  # nothing comes from elsewhere
        assert "access-control-allow-origin" not in answer.headers
    assert not any("unsafe" in answer.headers["content-security-policy"] for answer in answers)
    assert all("sandbox" in answer.headers["content-security-policy"] for answer in answers[6:8])


def test_what_breaks_stays_in_the_log(caplog):
    client = guarded()
    for path in ("/broken", "/api/broken", "/shown"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "secret" not in answer.text
    assert caplog.text.count("RuntimeError: secret") == 2


# Bytes


def _pieces(count):
    for _ in range(count):
        yield bytes(1 << 10)


def test_bodies_are_counted_as_they_come():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield bytes(1 << 16)

    client = guarded(limits=Limits(bytes=100_000))
    upload = {"content-type": "multipart/form-data; boundary=x"}
    for path in ("/echo", "/api/echo"):
        assert client.post(path, content=_pieces(90), headers=upload).text == str(90 << 10)
        assert client.post(path, content=_pieces(200), headers=upload).status_code == 413
        assert client.post(path, content=_pieces(900)).text == str(900 << 10)  # a megabyte of what is no upload
        assert client.post(path, content=_pieces(1100)).status_code == 413
    told = client.post("/api/echo", content=bytes(200_000), headers=upload)
    assert (told.status_code, told.json()) == (413, {"error": "more than 100,000 bytes were sent; send a smaller file"})
    assert client.post("/api/echo", content=b"", headers={"content-length": "9" * 400}).status_code == 413


def asgi(app, headers, messages, path="/api/echo"):
    """Send messages to an ASGI application by hand; then the client goes, unless the last one waits."""
    sent: list[dict] = []

    async def main():
        waiting = iter(messages)

        async def receive():
            message = next(waiting, None)
            if message == "wait":
                await asyncio.sleep(60)
            return message or {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "scheme": "http"}
        named = [(b"host", b"localhost"), *headers]
        await app({**scope, "headers": named, "http_version": "1.1", "client": ("1.2.3.4", 5)}, receive, send)

    asyncio.run(main())
    return sent


LENGTH = [(b"content-length", b"9")]
PART = {"type": "http.request", "body": b"123", "more_body": True}


def test_a_body_that_does_not_come_is_refused_in_time():
    app = Guard(Starlette(routes=[Route("/api/echo", _echo, methods=["POST"])]), OPEN, Limits(pause=0.05))
    start, body = asgi(app, LENGTH, [PART, "wait"])
    assert (start["status"], b"did not arrive in time" in body["body"]) == (408, True)


def test_who_breaks_off_is_no_error(caplog):
    app = Guard(Starlette(routes=[Route("/api/echo", _echo, methods=["POST"])]), OPEN, LIMITS)
    assert asgi(app, LENGTH, [PART]) == []
    assert caplog.text == ""


def test_the_work_of_who_has_gone_is_cancelled(caplog):
    ended = []

    async def work(request):
        await request.body()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    app = Guard(Starlette(routes=[Route("/api/echo", work, methods=["POST"])]), OPEN, LIMITS)
    assert asgi(app, LENGTH, [{**PART, "more_body": False}]) == []
    assert asgi(app, [], []) == []  # without a body
    assert (ended, caplog.text) == (["cancelled"] * 2, "")


# Files


@pytest.fixture
def api(ws, aligner):
    service = Service(ws, aligner)
    yield TestClient(build(service, page=False), "http://localhost")
    service.close()


@pytest.mark.parametrize("path", ["/api/ground", "/api/images", "/api/phrases/decide"])
@pytest.mark.parametrize("kind", [b"multipart/form-data; boundary=x", b"application/json"])
def test_a_broken_off_upload_is_not_logged(api, caplog, path, kind):
    start = b'--x\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    part = {"type": "http.request", "body": start, "more_body": True}
    sent = asgi(api.app, [(b"content-length", b"9999"), (b"content-type", kind)], [part], path)
    assert caplog.text == ""
    assert not any(message.get("status", 0) >= 500 for message in sent)


PATHS = [
    "../captions.json",
    "..%2fcaptions.json",
    "%2e%2e/%2e%2e/etc/passwd",
    "%252e%252e%252fetc%252fpasswd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "in%20a%20folder/../../captions.json",
    f"{quote(CAT)}%00",
    f"{quote(CAT)}%00.jpg",
    "..\\..\\etc\\passwd",
    "%5c%5cserver%5cshare",
    "file:///etc/passwd",
    "C:/Windows/win.ini",
    "manifest.json",
    "%ff%fe",
    "%c0%ae%c0%ae/etc/passwd",
    "",
    "a" * 5000,
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", ["", "?width=100"])
def test_no_file_but_the_workspaces_pictures(api, path, width):
    answer = api.get(f"/api/images/{path}{width}")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.content) < 200


def test_a_picture_is_given_out_as_a_picture_whatever_it_is_called(api, ws, folder, encode):
    from PIL import Image, PngImagePlugin

    comment = PngImagePlugin.PngInfo()
    comment.add_text("Comment", "<script>alert(1)</script>")
    both = encode(Image.new("RGB", (9, 9)), "PNG", pnginfo=comment) + b"<script>alert(1)</script>"
    page = folder / "images" / "page.html"
    page.write_bytes(both)
    from phrasebox.types import Caption, Example

    ws.append_images([Example("page.html", page, (Caption("<script>alert(1)</script>"),))], [(9, 9)])
    answer = api.get("/api/images/page.html")
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("image/jpeg", "nosniff")
    assert b"<script>" not in answer.content
    page.write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    refused = api.get("/api/images/page.html")
    assert (refused.status_code, refused.headers["content-type"]) == (415, "application/json")


def test_no_answer_names_a_place_on_this_machine(api, ws, folder, photograph):
    page = api.get("/api/images").text + api.get("/api/phrases").text + api.get("/api/results").text
    ground = {"image": CAT, "sentence": "a cat", "matrix": True}
    page += api.post("/api/ground", json=ground).text + api.get("/api/openapi.json").text
    (row,) = next(iter(ws.images(keys=[CAT])))
    away = row.path.rename(row.path.with_name("away.png"))  # other tests see the same pictures
    try:
        gone = api.get(f"/api/images/{CAT}")
    finally:
        away.rename(row.path)
    assert gone.status_code == 404
    assert str(folder.parent) not in page + gone.text
    assert str(row.path.parents[2]) not in page + gone.text

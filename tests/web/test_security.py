"""Who comes in, what is served, and what no answer lets a browser do: one attack a test."""

from __future__ import annotations

import re
import socket
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from phrasebox.errors import SettingsError
from phrasebox.io.offline import go_offline
from phrasebox.web import Limits, Service
from phrasebox.web.app import build
from phrasebox.web.security import Access, Guard, is_loopback

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


async def _socket(websocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


def guarded(access=OPEN, limits=LIMITS) -> TestClient:
    routes = [
        Route("/", lambda request: HTMLResponse("<h1>page</h1>")),
        Route("/echo", _echo, methods=["POST"]),
        Route("/api/echo", _echo, methods=["POST"]),
        Route("/broken", _broken),
        Route("/api/broken", _broken),
        Route("/shown", _shown),
        Route("/api/health", lambda request: JSONResponse({})),
        WebSocketRoute("/socket", _socket),
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


def test_sockets_come_from_the_own_page_alone():
    client = guarded()
    with client.websocket_connect(SOCKET, headers={"origin": "http://localhost"}) as socket:
        assert socket.receive_text() == "hello"
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"}):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(SOCKET, headers=headers):
            pass


# The token


def test_a_token_is_demanded_where_others_come():
    with pytest.raises(SettingsError, match="PHRASEBOX_TOKEN"):
        Access.on("0.0.0.0")
    for weak in ("short", "x" * 15, "with a space in between", "ümlaut-ümlaut-ümlaut", "new\nline-new-line-new"):
        with pytest.raises(SettingsError, match="16 printable"):
            Access.on("0.0.0.0", weak)
    assert Access.on("127.0.0.1") == Access(names=frozenset({"localhost", "127.0.0.1", "::1"}))
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
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(SOCKET):
        pass


def test_with_it():
    client = guarded(Access(TOKEN))
    for scheme in ("Bearer", "bearer"):
        assert client.post("/api/echo", headers={"authorization": f"{scheme} {TOKEN}"}, content=b"xy").text == "2"
    with client.websocket_connect(SOCKET, headers={"authorization": f"Bearer {TOKEN}"}) as socket:
        assert socket.receive_text() == "hello"


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
    with client.websocket_connect(SOCKET, headers={"cookie": cookie.partition(";")[0]}) as socket:
        assert socket.receive_text() == "hello"
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


# Files


@pytest.fixture
def api(ws, aligner):
    service = Service(ws, aligner)
    yield TestClient(build(service, page=False), "http://localhost")
    service.close()


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

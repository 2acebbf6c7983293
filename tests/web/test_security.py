"""What other sites' pages cannot do, and what no answer lets a browser do."""

from __future__ import annotations

import pytest
from guarded import HTML, SOCKET, TOKEN, guarded
from starlette.websockets import WebSocketDisconnect

from phrasebox.web.access import Access


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

"""Bodies of requests: counted as they come, refused when they stall, no error when they break off."""

from __future__ import annotations

import asyncio

import pytest
from guarded import LIMITS, OPEN, echo, guarded
from starlette.applications import Starlette
from starlette.routing import Route

from phrasebox.web import Limits
from phrasebox.web.security import Guard


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
    app = Guard(Starlette(routes=[Route("/api/echo", echo, methods=["POST"])]), OPEN, Limits(pause=0.05))
    start, body = asgi(app, LENGTH, [PART, "wait"])
    assert (start["status"], b"did not arrive in time" in body["body"]) == (408, True)


def test_who_breaks_off_is_no_error(caplog):
    app = Guard(Starlette(routes=[Route("/api/echo", echo, methods=["POST"])]), OPEN, LIMITS)
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


@pytest.mark.parametrize("path", ["/api/ground", "/api/images", "/api/phrases/decide"])
@pytest.mark.parametrize("kind", [b"multipart/form-data; boundary=x", b"application/json"])
def test_a_broken_off_upload_is_not_logged(api, caplog, path, kind):
    start = b'--x\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    part = {"type": "http.request", "body": start, "more_body": True}
    sent = asgi(api.app, [(b"content-length", b"9999"), (b"content-type", kind)], [part], path)
    assert caplog.text == ""
    assert not any(message.get("status", 0) >= 500 for message in sent)

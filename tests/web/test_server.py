"""Connections: one that sends nothing, or only a part of its headers, is closed; one that is served is not."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest
import uvicorn

from phrasebox.web import server as module

PATIENCE = 120.0


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await asyncio.sleep(0.6)  # longer than headers may take
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def port(monkeypatch):
    monkeypatch.setattr(module, "_HEADER_SECONDS", 0.3)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=module._Connection, ws="none", log_level="error", timeout_keep_alive=60)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(PATIENCE)


REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET / HT", REQUEST[:-2], b"POST / HTTP/1.1\r\nhost: a\r\nx-slow: "])
def test_what_does_not_begin_is_closed(port, sent):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(sent)
        assert connection.recv(1) == b""


def test_what_is_served_is_not(port):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        for _ in range(2):
            connection.sendall(REQUEST)
            found = b""
            while not found.endswith(b"ok"):
                found += connection.recv(100)
            assert found.startswith(b"HTTP/1.1 200")
            time.sleep(0.7)  # between requests longer than headers may take
        connection.sendall(REQUEST[:20])  # the third does not end
        assert connection.recv(1) == b""

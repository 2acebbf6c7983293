"""An S3 server on this machine, and a proxy before it that can be told to fail or to be slow."""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Proxy:
    """Passes requests on to a server on this machine, unless told otherwise.

    Attributes
    ----------
    failing : int
        Requests that are answered with 503 before one is passed on again; negative for all.
    only : str
        Part of the path of the requests that fail.
    stalled : threading.Event
        While it is not set, answers wait.
    """

    port: int
    failing: int = 0
    only: str = ""
    failed: int = 0
    waited: int = 0
    free: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.free.set()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Expect"):
                    self.send_response_only(100)
                    self.end_headers()
                if proxy.fails(self.path):
                    self._answer(503, [("Content-Type", "application/xml")], b"<Error><Code>SlowDown</Code></Error>")
                    return
                there = http.client.HTTPConnection("127.0.0.1", proxy.port)
                there.request(self.command, self.path, body, dict(self.headers))
                answer = there.getresponse()
                found = answer.read()
                headers = [
                    (k, v) for k, v in answer.getheaders() if k.lower() not in ("transfer-encoding", "connection")
                ]
                self._answer(answer.status, headers, found)
                there.close()

            def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() != "content-length" or self.command == "HEAD":
                        self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def fails(self, path: str) -> bool:
        if not self.free.is_set():
            with self._lock:
                self.waited += 1
            self.free.wait()
        with self._lock:
            if self.failing and self.only in path:
                self.failing -= 1
                self.failed += 1
                return True
        return False

"""A few routes behind the security middleware, without a service."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from phrasebox.web import Limits
from phrasebox.web.access import Access
from phrasebox.web.security import Guard

CAT = "in a folder/chelsea.png"
TOKEN = "a-token-of-the-test"
HTML = {"accept": "text/html"}
SOCKET = "ws://localhost/socket"
OPEN, LIMITS = Access(), Limits()


async def echo(request):
    return PlainTextResponse(str(len(await request.body())))


async def _broken(request):
    raise RuntimeError("secret /home/ann")


async def _shown(request):
    return HTMLResponse("RuntimeError: secret /home/ann", 500)


def guarded(access=OPEN, limits=LIMITS) -> TestClient:
    routes = [
        Route("/", lambda request: HTMLResponse("<h1>page</h1>")),
        Route("/echo", echo, methods=["POST"]),
        Route("/api/echo", echo, methods=["POST"]),
        Route("/broken", _broken),
        Route("/api/broken", _broken),
        Route("/shown", _shown),
        Route("/api/asked", lambda request: JSONResponse({})),
        Route("/api/health", lambda request: JSONResponse({})),
    ]
    app = Guard(Starlette(routes=routes), access, limits)
    return TestClient(app, "http://localhost", follow_redirects=False, raise_server_exceptions=False)

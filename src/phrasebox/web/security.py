"""Security middleware: access, host and origin checks, limits of bodies in bytes and time, and response headers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import math
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phrasebox.web.access import Access, WrongTokens
from phrasebox.web.limits import Limits
from phrasebox.web.worker import CLIENT

API = "/api"
OPEN_PATHS = ("/api/health", "/healthz")
"""Paths that are served without a token."""

_SMALL_BODY = 1 << 20  # bytes of a request without an upload
_FORM_OVERHEAD = 64 << 10  # bytes of an upload besides the image
_MAX_CLIENT = 64  # characters of a client's name
_COOKIE_SECONDS = 30 * 24 * 3600
_UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_STYLE = (
    ":root{color-scheme:light dark}body{font:1.1rem system-ui;max-width:30rem;margin:20vh auto;padding:0 1rem}"
    "input,button{font:inherit;padding:.4rem .6rem;margin:.2rem 0}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_API_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
_PAGE_POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' 'sha256-{_STYLE_HASH}'; img-src 'self' blob: data:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEAD = f"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>phrasebox</title><style>{_STYLE}</style>"""
_TOKEN_PAGE = f"""{_HEAD}
<h1>phrasebox</h1><p>Open the address that <code>phrasebox serve</code> printed, or give its token.</p>
<form action="/"><label>Token <input name="token" type="password" autocomplete="off" autofocus required></label>
<button>Enter</button></form></html>"""
_ERROR_PAGE = f"""{_HEAD}
<h1>Internal error</h1><p>The cause is in the server's log. <a href="/">Start again</a></p></html>"""
_log = logging.getLogger("phrasebox.web")


class Guard:
    """ASGI middleware: rejects unauthorised, oversized and stalling requests, and sets headers on every response.

    The work of a request whose client has gone is cancelled.
    """

    def __init__(self, app: ASGIApp, access: Access, limits: Limits) -> None:
        self.app, self.access, self.limits = app, access, limits
        self.wrong_tokens = WrongTokens()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no WebSockets here
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        if refusal := self._refusal(scope, headers):
            await refusal(scope, receive, _with_headers(scope, send))
            return
        CLIENT.set(headers.get("x-client", "")[:_MAX_CLIENT] or _peer(scope))
        await self._forward(scope, headers, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        path = scope["path"]
        if not self.access.serves(headers.get("host", "")):
            return _error_response(400, "this host name is not served; to serve it, start with --allow-host NAME")
        if (scope["method"] in _UNSAFE_METHODS or _is_api(path)) and not _same_origin(headers):
            return _error_response(403, "this request comes from another site's page")
        if _is_api(path) and "\n" in path:  # Starlette's route patterns match only up to a line break
            return _error_response(404, "not found")
        if path in OPEN_PATHS or not self.access.token:
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        in_query = [value for name, value in query if name == "token" and not _is_api(path)]
        given = self.access.given(headers) or (in_query[-1] if in_query else "")
        if given and (seconds := self.wrong_tokens.wait(_peer(scope))):
            return _too_many(seconds)
        if in_query and self.access.knows(in_query[-1]):
            self.wrong_tokens.forget(_peer(scope))
            return self._log_in(scope, urlencode([pair for pair in query if pair[0] != "token"]))
        if self.access.admits(headers) and not in_query:
            return None
        if given:
            self.wrong_tokens.add(_peer(scope))
        return _unauthorised(path, headers)

    def _log_in(self, scope: Scope, query: str) -> Response:
        """Set the cookie for the token in the URL and redirect to the URL without it."""
        path = "/" + scope["path"].lstrip("/\\")  # never //host
        answer = RedirectResponse(path + (f"?{query}" if query else ""), 303)
        name, value = self.access.cookie
        secure = scope["scheme"] == "https"
        answer.set_cookie(name, value, _COOKIE_SECONDS, httponly=True, samesite="lax", secure=secure, path="/")
        return answer

    async def _forward(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        body = _Body(headers, self.limits, receive)
        state = _ReplaceableResponse(scope, _with_headers(scope, send))
        if refusal := body.refusal:
            await refusal(scope, receive, state.send)
            return
        serving = asyncio.ensure_future(self.app(scope, body.receive, state.send))
        leaving = asyncio.ensure_future(body.gone.wait())
        try:
            await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done() and not state.started:
                serving.cancel()
            await serving
        except (_BodyError, ClientDisconnect, asyncio.CancelledError):
            if not (body.refusal or body.gone.is_set()):
                raise
            state.replacement = body.refusal
        except Exception:
            _log.exception("%s %s", scope["method"], scope["path"])
            state.replacement = state.replacement or _internal_error(scope)
        finally:
            serving.cancel()
            leaving.cancel()
            body.close()
        await state.end(receive)


class _BodyError(Exception):
    pass


class _Body:
    """The body of a request, limited in bytes and time; afterwards it is watched for whether the client goes."""

    def __init__(self, headers: Headers, limits: Limits, receive: Receive) -> None:
        upload = headers.get("content-type", "").lower().startswith("multipart/form-data")
        self._most = limits.bytes + _FORM_OVERHEAD if upload else _SMALL_BODY
        shown = limits.bytes if upload else self._most
        self._too_large = _error_response(413, f"more than {shown:,} bytes were sent; send a smaller file")
        self._limits, self._receive = limits, receive
        self._received, self._ended = 0, False
        self._ends = asyncio.get_running_loop().time() + limits.body_seconds
        self._watching: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()
        length = headers.get("content-length", "0")
        self.refusal = self._too_large if length.isdecimal() and int(length) > self._most else None
        if "content-length" not in headers and "transfer-encoding" not in headers:
            self._watch()

    async def receive(self) -> Message:
        """The next part of the body, and after its end whether the client has gone."""
        if self._watching is not None:
            if not self._ended:
                self._ended = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}
        left = self._ends - asyncio.get_running_loop().time()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, min(left, self._limits.pause)))
        except TimeoutError:
            self.refusal = _error_response(408, "the request did not arrive in time; send it again")
            raise _BodyError from None
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            self.refusal = self._too_large
            raise _BodyError
        if message["type"] == "http.disconnect":
            self.gone.set()
        elif not message.get("more_body"):
            self._ended = True
            self._watch()
        return message

    def _watch(self) -> None:
        async def watch() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            self.gone.set()

        self._watching = asyncio.ensure_future(watch())

    def close(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()


class _ReplaceableResponse:
    """The outgoing response, replaced where it must not be seen."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self.started = False
        self.replacement: Response | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 500 and not self.started:
            self.replacement = self.replacement or _internal_error(self._scope)  # the cause goes to the log only
        if self.replacement is None:
            self.started = True
            await self._send(message)

    async def end(self, receive: Receive) -> None:
        if self.replacement is not None and not self.started:
            await self.replacement(self._scope, receive, self._send)


def _with_headers(scope: Scope, send: Send) -> Send:
    api = _is_api(scope["path"])

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers["content-security-policy"] = _API_POLICY if api else _PAGE_POLICY
            if api:
                headers.setdefault("cache-control", "no-store")
        await send(message)

    return send_with_headers


def _is_api(path: str) -> bool:
    return path == API or path.startswith(f"{API}/")


def _peer(scope: Scope) -> str:
    """Address of the other end."""
    return scope["client"][0] if scope.get("client") else ""


def _error_response(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)


def _too_many(seconds: float) -> Response:
    answer = _error_response(429, f"too many wrong tokens; try again in {math.ceil(seconds)} seconds")
    answer.headers["retry-after"] = str(math.ceil(seconds))
    return answer


def _unauthorised(path: str, headers: Headers) -> Response:
    if _is_api(path) or "text/html" not in headers.get("accept", ""):
        answer = _error_response(401, "a token is required; send the header Authorization: Bearer TOKEN")
    else:
        answer = HTMLResponse(_TOKEN_PAGE, 401)
    answer.headers["www-authenticate"] = "Bearer"
    return answer


def _internal_error(scope: Scope) -> Response:
    if _is_api(scope["path"]):
        return _error_response(500, "internal error; the cause is in the server's log")
    return HTMLResponse(_ERROR_PAGE, 500)


def _same_origin(headers: Headers) -> bool:
    """Whether a request was not sent by a page of another site."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("same-origin", "none")
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    except ValueError:
        return False

"""Security middleware: access tokens, host and origin checks, body limits, and response headers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import logging
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phrasebox.errors import SettingsError
from phrasebox.web.limits import Limits

API = "/api"
HEALTH = "/api/health"
MIN_TOKEN_LENGTH = 16
"""Least number of characters of a token."""

_SMALL_BODY = 1 << 20  # bytes of a request without an upload
_FORM_OVERHEAD = 64 << 10  # bytes of an upload besides the image
_UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_API_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
# The page's framework writes its own scripts and styles into the page, and compiles its templates in the browser.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_TOKEN_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>phrasebox</title><style>:root{color-scheme:light dark}
body{font:1.1rem system-ui;max-width:30rem;margin:20vh auto;padding:0 1rem}
input,button{font:inherit;padding:.4rem .6rem;margin:.2rem 0}</style>
<h1>phrasebox</h1><p>Open the address that <code>phrasebox serve</code> printed, or give its token.</p>
<form action="/"><label>Token <input name="token" type="password" autocomplete="off" autofocus required></label>
<button>Enter</button></form></html>"""
_ERROR_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>phrasebox</title>
<style>:root{color-scheme:light dark}body{font:1.1rem system-ui;max-width:30rem;margin:20vh auto;padding:0 1rem}</style>
<h1>Internal error</h1><p>The cause is in the server's log. <a href="/">Start again</a></p></html>"""
_log = logging.getLogger("phrasebox.web")


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("example.org")
    (True, True, False, False)
    """
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


@dataclass(frozen=True)
class Access:
    """Who may use the service: token, host names, addresses.

    Attributes
    ----------
    token : str
        Access token; empty if none is required.
    names : frozenset of str
        Accepted host names, in lower case. Requests for other names are rejected, which prevents DNS rebinding.
    addresses : bool
        Whether any IP address is accepted in place of a host name: DNS rebinding needs a name.
    """

    token: str = ""
    names: frozenset[str] = _LOOPBACK_NAMES
    addresses: bool = False

    @classmethod
    def on(cls, host: str, token: str = "", names: Iterable[str] = ()) -> Access:
        """Access rules for a listening address and further host names.

        Raises
        ------
        SettingsError
            If other machines can reach the address and there is no token, or the token is too short or not printable.
        """
        if not token and not is_loopback(host):
            raise SettingsError(f"other machines can reach {host}: give a token with --token, or in PHRASEBOX_TOKEN")
        if token and (len(token) < MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable() or " " in token):
            raise SettingsError(f"a token needs at least {MIN_TOKEN_LENGTH} printable ASCII characters and no space")
        known = {name.lower() for name in names} | {host.lower()} | _LOOPBACK_NAMES
        if not is_loopback(host):
            known |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        return cls(token, frozenset(known), addresses=not is_loopback(host))

    @property
    def cookie(self) -> tuple[str, str]:
        """Name and value of the access cookie; it does not reveal the token."""
        return f"phrasebox-{self._digest('name')[:8]}", self._digest("value")

    def admits(self, headers: Headers) -> bool:
        """Whether a request has the token, also as the password of any user, or the access cookie."""
        if not self.token:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.knows(given.strip()):
            return True
        if scheme.lower() == "basic" and self.knows(_password(given)):  # Label Studio sends no other
            return True
        name, value = self.cookie
        pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        return any(n == name and _equal(v, value) for n, _, v in pairs)

    def knows(self, token: str) -> bool:
        """Compare with the token in constant time."""
        return _equal(token, self.token)

    def serves(self, host: str) -> bool:
        """Whether a ``Host`` header names this service."""
        name = _host_name(host)
        return name in self.names or (self.addresses and _address(name) is not None)

    def _digest(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), f"phrasebox {purpose}".encode(), hashlib.sha256).hexdigest()


class Guard:
    """ASGI middleware: rejects unauthorised and oversized requests, and sets security headers on every response."""

    def __init__(self, app: ASGIApp, access: Access, limits: Limits) -> None:
        self.app, self.access, self.limits = app, access, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if refusal := self._refusal(scope, headers):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            else:
                await refusal(scope, receive, _with_headers(scope, send))
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            await self._forward(scope, headers, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if not self.access.serves(headers.get("host", "")):
            return _error_response(400, "this host name is not served; to serve it, start with --allow-host NAME")
        unsafe = scope["type"] == "websocket" or scope["method"] in _UNSAFE_METHODS
        if unsafe and not _same_origin(headers):
            return _error_response(403, "this request comes from another site's page")
        if _is_api(scope["path"]) and "\n" in scope["path"]:  # Starlette's route patterns match only up to a line break
            return _error_response(404, "not found")
        path, query = scope["path"], parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == "token"]
        if given and not _is_api(path) and scope["type"] == "http" and self.access.token:
            return self._log_in(scope, headers, given[-1], urlencode([pair for pair in query if pair[0] != "token"]))
        if path == HEALTH or self.access.admits(headers):
            return None
        return self._unauthorised(path, headers)

    def _log_in(self, scope: Scope, headers: Headers, token: str, query: str) -> Response:
        """Set the cookie for a token in the URL and redirect to the URL without it."""
        if not self.access.knows(token):
            return self._unauthorised(scope["path"], headers)
        path = "/" + scope["path"].lstrip("/\\")  # never //host
        answer = RedirectResponse(path + (f"?{query}" if query else ""), 303)
        name, value = self.access.cookie
        answer.set_cookie(name, value, httponly=True, samesite="lax", secure=scope["scheme"] == "https", path="/")
        return answer

    def _unauthorised(self, path: str, headers: Headers) -> Response:
        if _is_api(path) or "text/html" not in headers.get("accept", ""):
            answer = _error_response(401, "a token is required; send the header Authorization: Bearer TOKEN")
        else:
            answer = HTMLResponse(_TOKEN_PAGE, 401)
        answer.headers["www-authenticate"] = "Bearer"
        return answer

    async def _forward(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        upload = headers.get("content-type", "").lower().startswith("multipart/form-data")
        max_bytes = self.limits.bytes + _FORM_OVERHEAD if upload else _SMALL_BODY
        reason = f"more than {self.limits.bytes if upload else max_bytes:,} bytes were sent; send a smaller file"
        length = headers.get("content-length", "0")
        guarded = _with_headers(scope, send)
        if length.isdecimal() and int(length) > max_bytes:
            await _error_response(413, reason)(scope, receive, guarded)
            return
        state = _ReplaceableResponse(scope, guarded)
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > max_bytes:
                state.replacement = _error_response(413, reason)
                raise _BodyTooLargeError
            return message

        try:
            await self.app(scope, receive_limited, state.send)
        except _BodyTooLargeError:
            pass
        except Exception:
            _log.exception("%s %s", scope["method"], scope["path"])
            state.replacement = state.replacement or _internal_error(scope)
        await state.end(receive)


class _BodyTooLargeError(Exception):
    pass


class _ReplaceableResponse:
    """The outgoing response, replaced where it must not be seen."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self._started = False
        self.replacement: Response | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 500 and not self._started:
            self.replacement = self.replacement or _internal_error(self._scope)  # the cause goes to the log only
        if self.replacement is None:
            self._started = True
            await self._send(message)

    async def end(self, receive: Receive) -> None:
        if self.replacement is not None and not self._started:
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


def _error_response(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)


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


def _host_name(host: str) -> str:
    """The name in a ``Host`` header, in lower case, without port and brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _password(basic: str) -> str:
    """The password of HTTP Basic credentials; empty if there is none."""
    try:
        return base64.b64decode(basic.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))

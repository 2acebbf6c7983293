"""The files of the page: served from memory, compressed, with hashes that let a browser keep them."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

FOLDER = Path(__file__).parent / "static"
"""Folder of the built client."""

_INDEX = "index.html"
_FOR_EVER = "public, max-age=31536000, immutable"  # the names hold hashes of the contents
_ASK_AGAIN = "no-cache"
_HASHED = "assets/"
_PACKED = frozenset({".html", ".js", ".css", ".svg", ".json", ".webmanifest", ".txt", ".map"})
_LEAST = 1024  # bytes; less is not worth packing
_TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2"}
_NOT_BUILT = "the page is not built in this copy; build it as CONTRIBUTING.md says, or use the HTTP API under /api"


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    packed: bytes | None
    media_type: str
    etag: str
    cache: str

    @classmethod
    def read(cls, path: Path, name: str) -> _File:
        data = path.read_bytes()
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        packed = gzip.compress(data, mtime=0) if path.suffix in _PACKED and len(data) >= _LEAST else None
        etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
        return cls(data, packed, kind, etag, _FOR_EVER if name.startswith(_HASHED) else _ASK_AGAIN)


class Pages:
    """ASGI application: the files of a folder by their names; any other path is a view of ``index.html``.

    Parameters
    ----------
    folder : Path
        Read once; without an ``index.html`` every view says so.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        named = ((path.relative_to(folder).as_posix(), path) for path in files)
        self._files = {name: _File.read(path, name) for name, path in named}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("method not allowed", 405, {"allow": "GET, HEAD"})
        name = request.url.path.lstrip("/")
        is_view = "." not in name.rpartition("/")[2]
        file = self._files.get(_INDEX if is_view else name)
        if file is None:
            return PlainTextResponse(_NOT_BUILT if is_view else "not found", 404)
        headers = {"etag": file.etag, "cache-control": file.cache, "vary": "accept-encoding"}
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        data = file.data
        if file.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            data, headers["content-encoding"] = file.packed, "gzip"
        return Response(data, media_type=file.media_type, headers=headers)

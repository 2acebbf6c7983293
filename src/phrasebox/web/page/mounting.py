"""The page on a FastAPI application: its addresses, its uploads, and who is there."""

from __future__ import annotations

from asyncio import to_thread
from functools import lru_cache
from urllib.parse import unquote

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from nicegui import Client, ui
from PIL import Image

from phrasebox import sample
from phrasebox.errors import PhraseboxError
from phrasebox.web.limits import Limits, RefusedError, TooLargeError
from phrasebox.web.page import layout
from phrasebox.web.page.describe import DescribeTab
from phrasebox.web.page.ground import GroundTab
from phrasebox.web.page.results import ResultsTab
from phrasebox.web.page.review import ReviewTab
from phrasebox.web.page.search import SearchTab
from phrasebox.web.page.visitors import Visitors
from phrasebox.web.pictures import MEDIA_TYPE, decode, encode
from phrasebox.web.service import Service

_AWAY = 30.0  # seconds that a visitor whose connection broke is waited for before all it held is freed
_THUMB = 160  # pixels
_CLIENT = {"page.css": "text/css", "links.js": "text/javascript"}
_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_FOR_A_DAY = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}


def mount(app: FastAPI, service: Service) -> Visitors:
    """Serve the page at ``/`` and below; call it last, as it takes what no other route does.

    Returns
    -------
    Visitors
        Who has the page open.
    """
    visitors = Visitors()
    _add_uploads(app, service, visitors)
    _add_assets(app, service)
    for name in layout.TABS:
        _add_page(service, visitors, name)
    ui.run_with(
        app,
        title="phrasebox",
        dark=None,
        language="en-US",
        favicon=layout.ICON,
        reconnect_timeout=_AWAY,
        tailwind=False,
        binding_refresh_interval=None,
        show_welcome_message=False,
    )
    return visitors


def _add_page(service: Service, visitors: Visitors, first: str) -> None:
    def page(client: Client) -> None:
        layout.add_head()
        visitor = visitors.arrive()
        client.on_delete(lambda: visitors.leave(visitor))
        where = service.workspace.path.resolve().name if service.has_workspace else ""
        makers = {
            "ground": lambda: GroundTab(service, visitor),
            "describe": lambda: DescribeTab(service, visitor),
            "search": lambda: SearchTab(service, visitor, lambda: shell.open("ground")),
            "review": lambda: ReviewTab(service),
            "results": lambda: ResultsTab(service),
        }
        shell = layout.Shell(where, makers, visitor)
        shell.open(first)

    ui.page("/" if first == "ground" else f"/{first}")(page)


def _add_uploads(app: FastAPI, service: Service, visitors: Visitors) -> None:
    """Photographs of visitors: taken and given back under a secret that only their own page knows."""

    @app.post("/page/uploads/{secret}", include_in_schema=False)
    async def take(secret: str, request: Request) -> Response:
        visitor = visitors.find(secret)
        if visitor is None:
            return JSONResponse({"detail": "this page was closed; load it again"}, 404)
        try:
            visitors.make_room(visitor)
            data = await _body(request, service.limits)
            name = unquote(request.headers.get("x-file-name", ""))[:200]
            await to_thread(visitor.upload, data, name or "your photograph", service.limits)
        except PhraseboxError as error:
            return JSONResponse({"detail": str(error)}, error.status if isinstance(error, RefusedError) else 422)
        return Response(status_code=204)

    @app.get("/page/uploads/{secret}/{number}", include_in_schema=False)
    async def give(secret: str, number: int) -> Response:
        visitor = visitors.find(secret)
        jpeg = visitor.shown(number) if visitor else None
        if jpeg is None:
            return JSONResponse({"detail": "there is no such photograph"}, 404)
        return Response(jpeg, media_type=MEDIA_TYPE, headers=_PRIVATE)


async def _body(request: Request, limits: Limits) -> bytes:
    """The bytes sent, no more of them read than are taken."""
    too_large = TooLargeError(f"the photograph has more than {limits.bytes / 1e6:.0f} MB; make it smaller")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limits.bytes:
        raise too_large
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > limits.bytes:
            raise too_large
    return bytes(data)


def _add_assets(app: FastAPI, service: Service) -> None:
    @app.get("/page/client/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in _CLIENT:
            return JSONResponse({"detail": "there is no such file"}, 404)
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return FileResponse(layout.CLIENT / name, media_type=_CLIENT[name], headers=headers)

    @lru_cache(maxsize=len(sample.CAPTIONS))
    def small(name: str) -> bytes:
        picture = Image.fromarray(decode((sample.images_folder() / name).read_bytes(), service.limits))
        picture.thumbnail((2 * _THUMB, 2 * _THUMB))
        return encode(np.asarray(picture))

    @app.get("/page/samples/{name}", include_in_schema=False)
    async def sample_picture(name: str) -> Response:
        if name not in sample.CAPTIONS:
            return JSONResponse({"detail": "there is no such photograph"}, 404)
        try:
            return Response(await to_thread(small, name), media_type=MEDIA_TYPE, headers=_FOR_A_DAY)
        except (PhraseboxError, OSError):
            return JSONResponse({"detail": "the sample is not installed"}, 404)

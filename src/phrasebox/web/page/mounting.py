"""Routes of the page on a FastAPI application: tabs, uploads and assets."""

from __future__ import annotations

import warnings
from asyncio import to_thread
from functools import lru_cache

import numpy as np
from fastapi import FastAPI, UploadFile
from fastapi.responses import FileResponse, Response
from nicegui import Client, ui
from PIL import Image

from phrasebox.errors import NotFoundError
from phrasebox.io import sample
from phrasebox.web.error_responses import add_error_handlers
from phrasebox.web.limits import TooLargeError
from phrasebox.web.page import layout
from phrasebox.web.page.describe import DescribeTab
from phrasebox.web.page.ground import GroundTab
from phrasebox.web.page.results import ResultsTab
from phrasebox.web.page.review import ReviewTab
from phrasebox.web.page.search import SearchTab
from phrasebox.web.page.visitors import Visitors
from phrasebox.web.pictures import MEDIA_TYPE, decode, encode
from phrasebox.web.service import Service

_RECONNECT_TIMEOUT = 30.0  # seconds until the state of a page with a lost connection is freed
_THUMB = 160  # pixels
_MAX_NAME = 200  # longest stored file name, in characters
_CLIENT = {"page.css": "text/css", "links.js": "text/javascript"}
_PRIVATE = {"cache-control": "private, no-store"}
_CACHE_ONE_DAY = {"cache-control": "public, max-age=86400"}


def mount(app: FastAPI, service: Service) -> Visitors:
    """Serve the page at ``/`` and below; call it after adding other routes, because it catches all remaining paths.

    Returns
    -------
    Visitors
        State of all open pages.
    """
    visitors = Visitors()
    add_error_handlers(app, service)
    _add_uploads(app, service, visitors)
    _add_assets(app, service)
    for name in layout.TABS:
        _add_page(service, visitors, name)
    # At startup NiceGUI looks at every object in memory for its server, and torch warns that one is deprecated.
    warnings.filterwarnings("ignore", message=r"`torch\.distributed\.reduce_op` is deprecated", category=FutureWarning)
    ui.run_with(
        app,
        title="phrasebox",
        dark=None,
        language="en-US",
        favicon=layout.ICON,
        reconnect_timeout=_RECONNECT_TIMEOUT,
        tailwind=False,
        binding_refresh_interval=None,
        show_welcome_message=False,
    )
    return visitors


def _add_page(service: Service, visitors: Visitors, first: str) -> None:
    def page(client: Client) -> None:
        layout.add_head()
        visitor = visitors.open()
        client.on_delete(lambda: visitors.close(visitor))
        where = service.workspace.path.absolute().name if service.has_workspace else ""
        builders = {
            "ground": lambda: GroundTab(service, visitor),
            "describe": lambda: DescribeTab(service, visitor),
            "search": lambda: SearchTab(service, visitor, lambda: shell.open("ground")),
            "review": lambda: ReviewTab(service),
            "results": lambda: ResultsTab(service),
        }
        shell = layout.Shell(where, builders, visitor)
        shell.open(first)

    ui.page("/" if first == "ground" else f"/{first}")(page)


def _add_uploads(app: FastAPI, service: Service, visitors: Visitors) -> None:
    """Add routes for uploads; their URLs contain a secret that only the uploading page knows."""

    @app.post("/page/uploads/{secret}", include_in_schema=False)
    async def receive_upload(secret: str, image: UploadFile) -> Response:
        visitor = visitors.find(secret)
        if visitor is None:
            raise NotFoundError("this page was closed; load it again")
        visitors.check_capacity(visitor)
        data = await image.read(service.limits.bytes + 1)
        if len(data) > service.limits.bytes:
            raise TooLargeError(f"the photograph has more than {service.limits.bytes:,} bytes; make it smaller")
        name = (image.filename or "")[:_MAX_NAME] or "your photograph"
        await to_thread(visitor.upload, data, name, service.limits)
        return Response(status_code=204)

    @app.get("/page/uploads/{secret}/{number}", include_in_schema=False)
    async def send_upload(secret: str, number: int) -> Response:
        visitor = visitors.find(secret)
        jpeg = visitor.uploaded_jpeg(number) if visitor else None
        if jpeg is None:
            raise NotFoundError("there is no such photograph")
        return Response(jpeg, media_type=MEDIA_TYPE, headers=_PRIVATE)


def _add_assets(app: FastAPI, service: Service) -> None:
    @app.get("/page/client/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in _CLIENT:
            raise NotFoundError("there is no such file")
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return FileResponse(layout.CLIENT / name, media_type=_CLIENT[name], headers=headers)

    @lru_cache(maxsize=len(sample.CAPTIONS))
    def sample_thumbnail(name: str) -> bytes:
        picture = Image.fromarray(decode((sample.images_folder() / name).read_bytes(), service.limits))
        picture.thumbnail((2 * _THUMB, 2 * _THUMB))
        return encode(np.asarray(picture))

    @app.get("/page/samples/{name}", include_in_schema=False)
    async def sample_picture(name: str) -> Response:
        if name not in layout.samples():
            raise NotFoundError("there is no such photograph")
        return Response(await to_thread(sample_thumbnail, name), media_type=MEDIA_TYPE, headers=_CACHE_ONE_DAY)

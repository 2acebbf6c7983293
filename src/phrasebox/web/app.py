"""The application: API and page inside the security middleware."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from phrasebox.io.version import __version__
from phrasebox.web import (
    event_routes,
    export_routes,
    job_routes,
    label_studio,
    review_routes,
    workspace_routes,
)
from phrasebox.web.api import router
from phrasebox.web.error_responses import add_error_handlers
from phrasebox.web.schemas import first_error
from phrasebox.web.security import API, Access, Guard
from phrasebox.web.service import Service
from phrasebox.web.static import Pages

_PACKED_ALREADY = (f"{API}/images", f"{API}/samples", f"{API}/exports/download", f"{API}/events")
_LEAST = 1024  # bytes; less is not worth packing
_LEVEL = 4  # of gzip


def build(service: Service, access: Access = Access(), page: bool = True) -> FastAPI:  # noqa: B008  (frozen)
    """The application.

    Parameters
    ----------
    access : Access
        Who may use the service.
    page : bool
        Whether to serve the web page besides the API.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/healthz", include_in_schema=False)
    async def ready() -> Response:
        seconds = service.loading
        if seconds is None:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "loading", "seconds": round(seconds, 1)}, 503, {"retry-after": "2"})

    app.mount(API, _api(service))
    if page:
        app.mount("/", Pages())
    app.add_middleware(_Packed)
    app.add_middleware(Guard, access=access, limits=service.limits)
    return app


class _Packed(GZipMiddleware):
    """Compresses responses, except those that are compressed or must not be held back."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, minimum_size=_LEAST, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(_PACKED_ALREADY):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _api(service: Service) -> FastAPI:
    """The API as an application of its own, so that all errors below its path are JSON."""
    api = FastAPI(
        title="phrasebox",
        version=__version__,
        summary="Which words of a caption describe which part of an image.",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": API}],
        root_path_in_servers=False,
    )
    for routes in (workspace_routes, review_routes, job_routes, export_routes, event_routes, label_studio):
        api.include_router(routes.router(service))
    api.include_router(router(service))  # last: it has a path that matches anything below /images
    add_error_handlers(api, service)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"error": first_error(error.errors())}, 422)

    @api.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    return api

"""The application: API and page inside the security middleware."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from phrasebox.io.version import __version__
from phrasebox.web import label_studio
from phrasebox.web.api import router
from phrasebox.web.error_responses import add_error_handlers
from phrasebox.web.schemas import first_error
from phrasebox.web.security import API, Access, Guard
from phrasebox.web.service import Service


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
    app.mount(API, _api(service))
    if page:
        from phrasebox.web.page import mount

        mount(app, service)
    app.add_middleware(Guard, access=access, limits=service.limits)
    return app


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
    api.include_router(router(service))
    api.include_router(label_studio.router(service))
    add_error_handlers(api, service)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"error": first_error(error.errors())}, 422)

    @api.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    return api

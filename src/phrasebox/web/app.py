"""The one application: API, page, and the layer of safety around both."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from phrasebox.errors import (
    DataError,
    ModelError,
    NotThereError,
    OfflineError,
    PhraseboxError,
    SettingsError,
    WorkspaceError,
)
from phrasebox.web.api import router
from phrasebox.web.asking import reason
from phrasebox.web.limits import RefusedError
from phrasebox.web.security import API, Access, Guard
from phrasebox.web.service import Service

_STATUS = (
    (NotThereError, 404),
    ((DataError, SettingsError), 422),
    ((WorkspaceError, ModelError, OfflineError), 409),
)
_PATH = re.compile(r"(?<![\w.:/\\-])(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\",:;()<>]+)+")
_WAIT = 2  # seconds that who finds the models busy is told to wait


def build(service: Service, access: Access = Access(), page: bool = True) -> FastAPI:  # noqa: B008  (frozen)
    """The application.

    Parameters
    ----------
    access : Access
        Who may come in.
    page : bool
        With the page, not the API alone.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.mount(API, _api(service))
    if page:
        from phrasebox.web.page import mount

        mount(app, service)
    app.add_middleware(Guard, access=access, limits=service.limits)
    return app


def _api(service: Service) -> FastAPI:
    """The API as an application of its own, so that what is wrong below its path is always told as JSON."""
    api = FastAPI(
        title="phrasebox",
        version=metadata.version("phrasebox"),
        summary="Which words of a caption describe which part of an image.",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        servers=[{"url": API}],
        root_path_in_servers=False,
    )
    api.include_router(router(service))
    tell_errors(api, service)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"error": reason(error.errors())}, 422)

    @api.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    return api


def tell_errors(app: FastAPI, service: Service) -> None:
    """Answer what a visitor can cause with the reason and its status."""
    path = service.workspace.path if service.has_workspace else ""
    hidden = str(path.absolute()) if isinstance(path, Path) else str(path)

    @app.exception_handler(PhraseboxError)
    async def known(request: Request, error: PhraseboxError) -> Response:
        status = error.status if isinstance(error, RefusedError) else _status(error)
        headers = {"retry-after": str(_WAIT)} if status in (429, 503) else None
        return JSONResponse({"error": public(str(error), hidden)}, status, headers)


def public(message: str, workspace: str = "") -> str:
    """A message in one line that tells nothing of the machine: the workspace is WS, other paths their last part.

    Examples
    --------
    >>> public("/home/ann/w has no regions yet; run: phrasebox regions /home/ann/w", "/home/ann/w")
    'WS has no regions yet; run: phrasebox regions WS'
    >>> public("the config of /opt/models/mine is damaged and/or old")
    'the config of mine is damaged and/or old'
    """
    if workspace:
        message = message.replace(workspace, "WS")
    message = _PATH.sub(lambda path: re.split(r"[/\\]", path[0])[-1], message)
    return " ".join(message.split())


def _status(error: PhraseboxError) -> int:
    return next((status for kinds, status in _STATUS if isinstance(error, kinds)), 409)

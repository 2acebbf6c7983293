"""HTTP responses for errors: status and one line, without paths of this machine."""

from __future__ import annotations

import logging
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from phrasebox.errors import (
    DataError,
    ModelError,
    NotFoundError,
    OfflineError,
    PhraseboxError,
    SettingsError,
    WorkspaceError,
)
from phrasebox.review import ChangedError
from phrasebox.web.limits import RefusedError
from phrasebox.web.public import public_message
from phrasebox.web.service import Service

_log = logging.getLogger("phrasebox.web")
_STATUS = (
    (NotFoundError, 404),
    ((DataError, SettingsError), 422),
    ((WorkspaceError, ModelError, OfflineError), 409),
)
_RETRY_AFTER = 2  # seconds in the Retry-After header


def add_error_handlers(app: FastAPI, service: Service) -> None:
    """Respond to errors of the package with their message and HTTP status."""
    path = service.workspace.path if service.has_workspace else ""
    hidden = str(path.absolute()) if isinstance(path, Path) else str(path)

    @app.exception_handler(PhraseboxError)
    async def on_error(request: Request, error: PhraseboxError) -> Response:
        status = error.status if isinstance(error, RefusedError) else _status(error)
        headers = {"retry-after": str(_RETRY_AFTER)} if status in (429, 503) else None
        more = {}
        if isinstance(error, ChangedError):
            more = {"count": error.count, "phrase": error.phrase and error.phrase.to_json()}
        return JSONResponse({"error": public_message(str(error), hidden), **more}, status, headers)

    @app.exception_handler(OSError)
    async def on_full_disk(request: Request, error: OSError) -> Response:
        _log.warning("%s %s: %s", request.method, request.url.path, error)
        reason = (
            f"the workspace cannot be read or written: {error.strerror or 'input or output failed'}; nothing was stored"
        )
        return JSONResponse({"error": reason}, 507)


def _status(error: PhraseboxError) -> int:
    return next((status for kinds, status in _STATUS if isinstance(error, kinds)), 409)

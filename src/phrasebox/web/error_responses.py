"""HTTP responses for errors: status and one line, without paths of this machine."""

from __future__ import annotations

import re
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
from phrasebox.web.limits import RefusedError
from phrasebox.web.service import Service

_STATUS = (
    (NotFoundError, 404),
    ((DataError, SettingsError), 422),
    ((WorkspaceError, ModelError, OfflineError), 409),
)
_PATH = re.compile(r"(?<![\w.:/\\-])(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\",:;()<>]+)+")
_RETRY_AFTER = 2  # seconds in the Retry-After header


def add_error_handlers(app: FastAPI, service: Service) -> None:
    """Respond to errors of the package with their message and HTTP status."""
    path = service.workspace.path if service.has_workspace else ""
    hidden = str(path.absolute()) if isinstance(path, Path) else str(path)

    @app.exception_handler(PhraseboxError)
    async def on_error(request: Request, error: PhraseboxError) -> Response:
        status = error.status if isinstance(error, RefusedError) else _status(error)
        headers = {"retry-after": str(_RETRY_AFTER)} if status in (429, 503) else None
        return JSONResponse({"error": public_message(str(error), hidden)}, status, headers)


def public_message(message: str, workspace: str = "") -> str:
    """One-line message without paths of this machine: the workspace becomes WS, other paths their last part.

    Examples
    --------
    >>> public_message("/home/ann/w has no regions yet; run: phrasebox regions /home/ann/w", "/home/ann/w")
    'WS has no regions yet; run: phrasebox regions WS'
    >>> public_message("the config of /opt/models/mine is damaged and/or old")
    'the config of mine is damaged and/or old'
    """
    if workspace:
        message = message.replace(workspace, "WS")
    message = _PATH.sub(lambda path: re.split(r"[/\\]", path[0])[-1], message)
    return " ".join(message.split())


def _status(error: PhraseboxError) -> int:
    return next((status for kinds, status in _STATUS if isinstance(error, kinds)), 409)

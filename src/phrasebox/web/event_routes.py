"""The stream of events of an open page."""

from __future__ import annotations

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from phrasebox.io.version import __version__
from phrasebox.web.api import ERRORS
from phrasebox.web.service import Service

_STREAM = "text/event-stream"


def router(service: Service) -> APIRouter:
    """The route ``/events``."""
    api = APIRouter(responses=ERRORS, tags=["service"])

    @api.get("/events", response_class=StreamingResponse, responses={200: {"content": {_STREAM: {}}}})
    async def events(
        client: str = Query("", max_length=64, description="Name of the page, as in its header X-Client."),
    ) -> StreamingResponse:
        """Events of the service: queue, models that load, jobs, decisions, changes of the workspace."""
        seconds = service.loading
        loading = None if seconds is None else {"seconds": round(seconds, 1)}
        page = service.events.open(client)
        stream = service.events.stream(page, {"client": client, "version": __version__, "loading": loading})
        return StreamingResponse(
            stream, media_type=_STREAM, headers={"cache-control": "no-store", "x-accel-buffering": "no"}
        )

    return api

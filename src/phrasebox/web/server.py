"""The HTTP server: uvicorn, with a time-out for headers, and an end that open streams do not delay."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

_GRACE = 3  # seconds that open connections have to end
_HEADER_SECONDS = 10.0  # until the headers of a request have to be there
_IDLE_SECONDS = 75  # that a connection is kept between requests: longer than clients and proxies keep it, who else may
# send a request just as it is closed


class _Connection(H11Protocol):
    """A connection that is closed if its first request does not begin, or the headers of one do not end, in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect(self) -> None:
        """Begin to wait for a request, or end waiting because it is there."""
        if self._is_answering:
            if self._deadline is not None:
                self._deadline.cancel()
            self._deadline = None
        elif self._deadline is None:
            self._deadline = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if not self._is_answering and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """Ends the streams of events before it waits for open connections."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], Any]) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._ending()
        super().handle_exit(sig, frame)


def run(app: FastAPI, listening: socket.socket, ending: Callable[[], Any]) -> None:
    """Serve an application until Ctrl-C or a signal to terminate; ``ending`` is called first then."""
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        log_level="warning",
        access_log=False,  # it would contain the token
        server_header=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACE,
    )
    _Server(config, ending).run(sockets=[listening])

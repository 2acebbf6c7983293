"""phrasebox serve: the web page and the HTTP API."""

from __future__ import annotations

import json
import logging
import secrets
import socket
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from phrasebox.cli.app import COMMON, Common
from phrasebox.cli.shared import device
from phrasebox.errors import MissingExtraError, SettingsError
from phrasebox.io.paths import in_store, place

_GRACE = 3  # seconds that open connections have to end
_MESSAGE = 4 << 20  # largest WebSocket message, in bytes


def serve(
    ws: Annotated[Path | None, Parameter(help="The workspace folder; without it, only uploaded images.")] = None,
    /,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8080,
    token: Annotated[str | None, Parameter(env_var="PHRASEBOX_TOKEN", show_env_var=True)] = None,
    allow_host: Annotated[list[str] | None, Parameter(negative=())] = None,
    model: str | None = None,
    captioner: str | None = None,
    common: Common = COMMON,
) -> None:
    """Serve a web page and an HTTP API (under /api) to ground, describe, search and review phrases.

    Parameters
    ----------
    host
        Address to listen on; the default is reached from this machine only.
    port
        Port to listen on; 0 for any free one.
    token
        Access token that visitors must send. If other machines can reach the host, the default is a new random one.
    allow_host
        Additional host name under which the service is reached, for example behind a proxy.
    model
        Folder or hub id of an aligner; default: the workspace's own, or the built-in one.
    captioner
        Folder or hub id of a captioner; default: the workspace's own, or the built-in one.
    """
    try:
        import uvicorn

        from phrasebox.web import Service
        from phrasebox.web.app import build
        from phrasebox.web.security import Access, is_loopback
    except ImportError as error:
        raise MissingExtraError((error.name or "nicegui").partition(".")[0], "web") from None
    from phrasebox.workspace.workspace import Workspace

    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    access = Access.on(host, token or "", allow_host or ())
    where = None if ws is None else place(ws)
    workspace = None if where is None else Workspace(where if in_store(where) else where.absolute())
    listening = _listen(host, port)
    service = Service(workspace, model, captioner, device=device(common), workers=common.workers)
    app = build(service, access)
    service.warm()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # it would contain the token
            server_header=False,
            ws_max_size=_MESSAGE,
            timeout_graceful_shutdown=_GRACE,
        )
    )
    _quiet()
    _print_address(listening, host, token, common)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:  # raised again by uvicorn after its shutdown
        if not common.silent:
            print("stopped", flush=True)
    finally:
        service.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise SettingsError(f"unknown host {host!r}; give an address of this machine") from None
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        reason = error.strerror or str(error)
        raise SettingsError(f"cannot listen on {host} port {port}: {reason}; give another --port") from None
    return listening


def _print_address(listening: socket.socket, host: str, token: str | None, common: Common) -> None:
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    shown = f"[{shown}]" if ":" in shown else shown
    url = f"http://{shown}:{listening.getsockname()[1]}/"
    entrance = f"{url}?token={token}" if token else url
    if common.json:
        print(json.dumps({"url": url, "entrance": entrance, "api": f"{url}api/openapi.json"}), flush=True)
    elif not common.quiet:
        print(f"{entrance}\nstop with Ctrl-C", flush=True)


def _quiet() -> None:
    """Do not log aborted connections and invalid requests."""
    for name in ("uvicorn.error", "nicegui", "python_multipart"):
        logging.getLogger(name).setLevel(logging.ERROR)

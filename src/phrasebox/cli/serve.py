"""phrasebox serve: the web page and the HTTP API."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from phrasebox.cli.app import COMMON, Common
from phrasebox.cli.shared import device
from phrasebox.errors import MissingExtraError, SettingsError
from phrasebox.io.paths import in_store, place

_PATIENCE = 5.0  # seconds that the models have to end what they run


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
        Access token that visitors must send; default: one that is made once for this user and machine.
    allow_host
        Additional host name under which the service is reached, for example behind a proxy.
    model
        Folder or hub id of an aligner; default: the workspace's own, or the built-in one.
    captioner
        Folder or hub id of a captioner; default: the workspace's own, or the built-in one.
    """
    try:
        from phrasebox.web import Service
        from phrasebox.web.access import Access, own_token
        from phrasebox.web.app import build
        from phrasebox.web.server import run
    except ImportError as error:
        raise MissingExtraError((error.name or "fastapi").partition(".")[0], "web") from None
    from phrasebox.workspace.workspace import Workspace

    token = token or own_token()
    access = Access.on(host, token, allow_host or ())
    where = None if ws is None else place(ws)
    workspace = None if where is None else Workspace(where if in_store(where) else where.absolute())
    listening = _listen(host, port)
    service = Service(workspace, model, captioner, device=device(common), workers=common.workers)
    app = build(service, access)
    if workspace is not None:  # LanceDB is slow to import, and the first page needs it as the models do
        workspace.count("images")
    service.warm()
    _quiet()
    _print_addresses(listening, host, token, common)
    try:
        run(app, listening, service.events.close)
    except KeyboardInterrupt:  # raised again by uvicorn after its shutdown
        if not common.silent:
            print("stopped", flush=True)
    finally:
        service.close()
    if not service.worker.ended(_PATIENCE):
        sys.stdout.flush()
        os._exit(0)  # the interpreter's own end aborts while a thread is inside a network


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


def _print_addresses(listening: socket.socket, host: str, token: str, common: Common) -> None:
    """Print where the service is entered: on this machine, and by others where they can reach it."""
    from phrasebox.web.access import is_loopback, own_addresses

    port = listening.getsockname()[1]
    everywhere = host in ("0.0.0.0", "::")
    names = [socket.gethostname()] if everywhere else [host]
    names += own_addresses() if everywhere else []
    urls = [f"http://{f'[{name}]' if ':' in name else name}:{port}/" for name in dict.fromkeys(names)]
    entrances = [f"{url}?token={token}" for url in urls]
    if common.json:
        found = {"url": urls[0], "entrance": entrances[0], "entrances": entrances, "token": token}
        print(json.dumps({**found, "api": f"{urls[0]}api/openapi.json"}), flush=True)
    elif not common.quiet:
        print("\n".join(entrances), flush=True)
        if not is_loopback(host) and sys.stdout.isatty():
            _print_qr_code(entrances[-1])
        print("stop with Ctrl-C", flush=True)


def _print_qr_code(url: str) -> None:
    """Print an address as a QR code, for phones."""
    import segno

    segno.make(url, micro=False).terminal(compact=True)


def _quiet() -> None:
    """Do not log aborted connections and invalid requests."""
    for name in ("uvicorn.error", "python_multipart"):
        logging.getLogger(name).setLevel(logging.ERROR)

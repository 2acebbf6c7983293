"""Offline mode: refuse network connections of this process, whichever library makes them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from phrasebox.errors import OfflineError

_SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")
_refusing = False


def is_offline() -> bool:
    """Whether ``HF_HUB_OFFLINE`` is set to a true value of huggingface_hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}


def go_offline() -> None:
    """Set the libraries to offline mode for the rest of the process, and refuse all network connections.

    Connections within this machine are allowed; the web page needs them.
    """
    global _refusing
    os.environ.update(dict.fromkeys(_SWITCHES, "1"))
    if "huggingface_hub.constants" in sys.modules:  # it has already read the environment
        sys.modules["huggingface_hub.constants"].HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    if not _refusing:
        _refusing = True
        sys.addaudithook(_refuse)


def _refuse(
    event: str, arguments: tuple[Any, ...], lookups: Sequence[str] = _LOOKUPS, sending: Sequence[str] = _SENDING
) -> None:
    # Constants are default arguments, because the hook is still called after Python has cleared this module.
    if event in lookups:
        host = arguments[0]
    elif event in sending and isinstance(arguments[1], tuple):  # a local socket's address is a path
        host = arguments[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host or ""
    if name not in ("", "localhost", "::1", "0.0.0.0", "::") and not name.startswith("127."):
        raise OfflineError(f"a connection to {name} was refused: --offline, or HF_HUB_OFFLINE, forbids the network")

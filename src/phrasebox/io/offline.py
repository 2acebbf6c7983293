"""Offline mode: refuse network connections of this process, whichever library makes them."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from phrasebox.errors import OfflineError

SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
"""Environment variables that set the libraries to offline mode."""

_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_SENDING = ("socket.connect", "socket.sendto", "socket.sendmsg")
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})
_refusing = False


def is_offline(environment: Mapping[str, str] = os.environ, true: frozenset[str] = _TRUE) -> bool:
    """Whether ``HF_HUB_OFFLINE`` is set to a true value of huggingface_hub."""
    return environment.get("HF_HUB_OFFLINE", "").strip().upper() in true


def go_offline() -> None:
    """Set the libraries to offline mode, and refuse network connections while ``HF_HUB_OFFLINE`` is set.

    Connections within this machine and lookups of its own name are allowed; the web page needs them.
    """
    global _refusing
    os.environ.update(dict.fromkeys(SWITCHES, "1"))
    if "huggingface_hub.constants" in sys.modules:  # it has already read the environment
        sys.modules["huggingface_hub.constants"].HF_HUB_OFFLINE = True  # type: ignore[attr-defined]
    if not _refusing:
        _refusing = True
        sys.addaudithook(_refuse)


def _refuse(
    event: str,
    arguments: tuple[Any, ...],
    lookups: Sequence[str] = _LOOKUPS,
    sending: Sequence[str] = _SENDING,
    offline: Callable[[], bool] = is_offline,
    own_name: Callable[[], str] = socket.gethostname,
) -> None:
    # Constants are default arguments, because the hook is still called after Python has cleared this module.
    if event in lookups:
        host, this_machine = arguments[0], own_name()
    elif event in sending and isinstance(arguments[1], tuple):  # a local socket's address is a path
        host, this_machine = arguments[1][0], ""
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host or ""
    local = name in ("", "localhost", "::1", "0.0.0.0", "::", this_machine) or name.startswith("127.")
    if not local and offline():
        raise OfflineError(f"a connection to {name} was refused: --offline, or HF_HUB_OFFLINE, forbids the network")

"""Who may use the service: access tokens, host names, and what wrong tokens cost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cachetools import LRUCache
from starlette.datastructures import Headers

from phrasebox.errors import OfflineError, SettingsError

MIN_TOKEN_LENGTH = 16
"""Least number of characters of a token."""

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_FREE_TRIES = 3  # wrong tokens before an address has to wait
_LONGEST_WAIT = 60.0  # seconds
_FORGOTTEN = 600.0  # seconds after which wrong tokens of an address are forgotten
_ADDRESSES = 4096


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("example.org")
    (True, True, False, False)
    """
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


@dataclass(frozen=True)
class Access:
    """Who may use the service: token, host names, addresses.

    Attributes
    ----------
    token : str
        Access token; empty if none is required.
    names : frozenset of str
        Accepted host names, in lower case. Requests for other names are rejected, which prevents DNS rebinding.
    addresses : bool
        Whether any IP address is accepted in place of a host name: DNS rebinding needs a name.
    """

    token: str = ""
    names: frozenset[str] = _LOOPBACK_NAMES
    addresses: bool = False

    @classmethod
    def on(cls, host: str, token: str = "", names: Iterable[str] = ()) -> Access:
        """Access rules for a listening address and further host names.

        Raises
        ------
        SettingsError
            If there is no token, or it is too short or not printable.
        """
        if not token:
            raise SettingsError("give a token with --token, or in PHRASEBOX_TOKEN")
        if len(token) < MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
            raise SettingsError(f"a token needs at least {MIN_TOKEN_LENGTH} printable ASCII characters and no space")
        known = {name.lower() for name in names} | {host.lower()} | _LOOPBACK_NAMES
        if not is_loopback(host):
            known |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        return cls(token, frozenset(known), addresses=not is_loopback(host))

    @property
    def cookie(self) -> tuple[str, str]:
        """Name and value of the access cookie; it does not reveal the token."""
        return f"phrasebox-{self._digest('name')[:8]}", self._digest("value")

    def admits(self, headers: Headers) -> bool:
        """Whether a request has the token, also as the password of any user, or the access cookie."""
        if not self.token:
            return True
        given = self.given(headers)
        if given and self.knows(given):
            return True
        name, value = self.cookie
        pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        return any(n == name and _equal(v, value) for n, _, v in pairs)

    @staticmethod
    def given(headers: Headers) -> str:
        """The token that a request gives, right or wrong; empty if it gives none."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":  # Label Studio sends no other
            return _password(given)
        return given.strip() if scheme.lower() == "bearer" else ""

    def knows(self, token: str) -> bool:
        """Compare with the token in constant time."""
        return _equal(token, self.token)

    def serves(self, host: str) -> bool:
        """Whether a ``Host`` header names this service."""
        name = _host_name(host)
        return name in self.names or (self.addresses and _address(name) is not None)

    def _digest(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), f"phrasebox {purpose}".encode(), hashlib.sha256).hexdigest()


class WrongTokens:
    """Counts wrong tokens by address: after some, the address waits 1, 2, 4 ... seconds until it may try again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._of: LRUCache[str, tuple[int, float]] = LRUCache(_ADDRESSES)  # count, and time of the last one

    def wait(self, address: str) -> float:
        """Seconds until the address may try a token; 0 if it may now."""
        with self._guard:
            count, last = self._of.get(address, (0, 0.0))
        if count <= _FREE_TRIES:
            return 0.0
        pause = min(_LONGEST_WAIT, 2.0 ** (count - _FREE_TRIES - 1))
        return max(0.0, last + pause - self._clock())

    def add(self, address: str) -> None:
        """Count a wrong token of the address."""
        with self._guard:
            count, last = self._of.get(address, (0, 0.0))
            now = self._clock()
            self._of[address] = (1 if now - last > _FORGOTTEN else count + 1), now

    def forget(self, address: str) -> None:
        """The address had the right token."""
        with self._guard:
            self._of.pop(address, None)


def own_token() -> str:
    """The token of this user on this machine, made once, so that a restarted service is entered as before."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "phrasebox"
    file = folder / "token"
    with suppress(OSError, ValueError):
        if file.stat().st_mode & 0o077 == 0 and len(known := file.read_text("ascii").strip()) >= MIN_TOKEN_LENGTH:
            return known
    token = secrets.token_urlsafe(24)
    with suppress(OSError):  # without a place for it, it is made anew at every start
        folder.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as opened:
            opened.write(token)
    return token


def own_addresses() -> list[str]:
    """IPv4 addresses of this machine that other machines may reach, that of the default route first."""
    found: list[str] = []
    with suppress(OSError, OfflineError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
        route.connect(("192.0.2.1", 9))  # of the range for documentation; a datagram socket sends nothing here
        found.append(str(route.getsockname()[0]))
    with suppress(OSError):
        found += [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    return [one for one in dict.fromkeys(found) if not is_loopback(one)]


def _host_name(host: str) -> str:
    """The name in a ``Host`` header, in lower case, without port and brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _password(basic: str) -> str:
    """The password of HTTP Basic credentials; empty if there is none."""
    try:
        return base64.b64decode(basic.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))

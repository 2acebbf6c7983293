"""Paths on this machine or in an object store at s3://, gs:// or az://.

A local path is a `pathlib.Path`, a path in a store a `upath.UPath` with the same methods, where stores support them.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from urllib.parse import unquote

from phrasebox.errors import DataError, MissingExtraError, OfflineError, PhraseboxError, StoreError
from phrasebox.io.arguments import is_url, shown
from phrasebox.io.offline import is_offline

STORES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs"}
"""URL scheme of a store -> its client package."""

_URI = re.compile(rf"(?P<scheme>file|{'|'.join(STORES)}):/+(?P<rest>.*)", re.DOTALL)  # a `Path` keeps one slash of two
_ANSWERS = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)


def place(where: str | os.PathLike[str]) -> Path:
    """The path for a name or URL.

    Raises
    ------
    DataError
        If it is no path, or an address on the web.
    OfflineError
        If it is in a store, in offline mode.
    MissingExtraError
        If the store's client package is not installed.

    Examples
    --------
    >>> place("file:///data/ws").as_posix(), place("ws").as_posix()
    ('/data/ws', 'ws')
    """
    if not isinstance(where, str | os.PathLike):
        if in_store(where):
            return where
        raise DataError(f"a path is {shown(where)}; give a string or a Path")
    if is_url(where):
        raise DataError(f"{os.fspath(where)} is an address on the web; download it first and give the file or folder")
    found = _URI.fullmatch(os.fspath(where))
    if found is None:
        return Path(where)
    if found["scheme"] == "file":
        return Path("/" + unquote(found["rest"].removeprefix("localhost/")))
    uri = f"{found['scheme']}://{found['rest'].rstrip('/')}"
    if is_offline():
        raise OfflineError(f"{uri} is in a store on the network, which --offline forbids; give a local folder")
    package = STORES[found["scheme"]]
    try:
        from upath import UPath

        __import__(package)
    except ImportError:
        raise MissingExtraError(package, "cloud") from None
    return cast(Path, UPath(uri))


def in_store(where: object) -> bool:
    """Whether a path is in an object store."""
    return not isinstance(where, str | Path) and hasattr(where, "protocol")


@contextmanager
def reaching(where: object) -> Iterator[None]:
    """Raise `StoreError` when an object store fails; errors of local files pass unchanged.

    Raises
    ------
    StoreError
        If the store fails or refuses access, after the retries of its client.
    """
    try:
        yield
    except _ANSWERS:
        raise
    except Exception as error:  # each client has its own errors
        if not in_store(where) or isinstance(error, PhraseboxError):
            raise
        raise unreachable(where, str(error) or type(error).__name__) from error


def unreachable(where: object, reason: str) -> StoreError:
    """The error for a failing store."""
    first = reason.strip().partition("\n")[0][:300]
    return StoreError(
        f"the store of {where} fails: {first}; check the connection and the credentials in the environment, then run "
        "the same command again to continue"
    )


def table_options(where: object) -> dict[str, str]:
    """Options for Lance's object store client, in addition to those from the environment."""
    if not in_store(where):
        return {}
    plain = os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", "")).startswith("http://")
    retries = {"client_max_retries": "6", "client_retry_timeout": "120"}
    return retries | ({"allow_http": "true"} if plain else {})


@contextmanager
def local_file(source: Path) -> Iterator[Path]:
    """A temporary local copy of a file in an object store; a local path is returned unchanged.

    Raises
    ------
    DataError
        If it is a folder in a store.
    """
    if not in_store(source):
        yield source
        return
    store, name = file_system(source)
    with TemporaryDirectory(prefix="phrasebox-") as folder:
        copy = Path(folder, source.name)
        with reaching(source):
            if not store.isfile(name):
                raise DataError(f"{source} is not a file; give a file of captions and --images {source}")
            store.get_file(name, str(copy))
        yield copy


def holds_any(folder: Path) -> bool:
    """Whether a folder in a store contains anything; stores have no empty folders."""
    store, name = file_system(folder)
    store.invalidate_cache()
    return bool(store.find(name, maxdepth=2))


def remove(folder: Path) -> None:
    """Remove a folder with its contents."""
    if in_store(folder):
        store, name = file_system(folder)
        with reaching(folder):
            store.rm(name, recursive=True)
    else:
        shutil.rmtree(folder)


def file_system(where: Path) -> tuple[Any, str]:
    """The store's fsspec file system, and the path in it."""
    place_there = cast(Any, where)
    return place_there.fs, place_there.path

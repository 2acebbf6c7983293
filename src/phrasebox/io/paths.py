"""Where files are: a folder of this machine, or one of an object store at s3://, gs:// or az://.

A place of this machine is a `pathlib.Path`, whatever it was written as; one of a store is a `upath.UPath`, which has
the same methods as far as a store can have them.
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
from phrasebox.io.offline import is_offline

STORES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs"}
"""Kinds of stores, and the package that speaks with each."""

_URI = re.compile(rf"(?P<scheme>file|{'|'.join(STORES)}):/+(?P<rest>.*)", re.DOTALL)  # a `Path` keeps one slash of two
_ANSWERS = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)


def place(where: str | os.PathLike[str]) -> Path:
    """The place of this name.

    Raises
    ------
    OfflineError
        If it is in a store and the network must not be used.
    MissingExtraError
        If the package that speaks with the store is not installed.

    Examples
    --------
    >>> place("file:///data/ws").as_posix(), place("ws").as_posix()
    ('/data/ws', 'ws')
    """
    if not isinstance(where, str | os.PathLike):
        return where  # it is one of a store already
    found = _URI.fullmatch(os.fspath(where))
    if found is None:
        return Path(where)
    if found["scheme"] == "file":
        return Path("/" + unquote(found["rest"].removeprefix("localhost/")))
    uri = f"{found['scheme']}://{found['rest'].rstrip('/')}"
    if is_offline():
        raise OfflineError(f"{uri} is in a store on the network, which --offline forbids; name a local folder")
    package = STORES[found["scheme"]]
    try:
        from upath import UPath

        __import__(package)
    except ImportError:
        raise MissingExtraError(package, "cloud") from None
    return cast(Path, UPath(uri))


def in_store(where: object) -> bool:
    """Whether a place is in an object store."""
    return not isinstance(where, str | Path) and hasattr(where, "protocol")


@contextmanager
def reaching(where: object) -> Iterator[None]:
    """Raise `StoreError` when an object store fails; errors of local files pass unchanged.

    Raises
    ------
    StoreError
        If the store fails, or refuses, after all that its library tries again.
    """
    try:
        yield
    except _ANSWERS:
        raise
    except Exception as error:  # every store's library has kinds of its own
        if not in_store(where) or isinstance(error, PhraseboxError):
            raise
        raise unreachable(where, str(error) or type(error).__name__) from error


def unreachable(where: object, reason: str) -> StoreError:
    """The error of a store that fails."""
    first = reason.strip().partition("\n")[0][:300]
    return StoreError(
        f"the store of {where} fails: {first}; see that it can be reached, and that the environment holds the right "
        "credentials, then run the same command again to continue"
    )


def table_options(where: object) -> dict[str, str]:
    """Options for Lance's object store client, beside what it reads from the environment."""
    if not in_store(where):
        return {}
    plain = os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", "")).startswith("http://")
    retries = {"client_max_retries": "6", "client_retry_timeout": "120"}
    return retries | ({"allow_http": "true"} if plain else {})


@contextmanager
def local_file(source: Path) -> Iterator[Path]:
    """A temporary local copy of a file in an object store; a local path is given unchanged.

    Raises
    ------
    DataError
        If it is a folder of a store.
    """
    if not in_store(source):
        yield source
        return
    store, name = file_system(source)
    with TemporaryDirectory(prefix="phrasebox-") as folder:
        copy = Path(folder, source.name)
        with reaching(source):
            if not store.isfile(name):
                raise DataError(f"{source} is no file; give a file of captions and --images {source}")
            store.get_file(name, str(copy))
        yield copy


def holds_any(folder: Path) -> bool:
    """Whether there is anything in a folder of a store, where a folder with nothing in it does not exist."""
    store, name = file_system(folder)
    store.invalidate_cache()
    return bool(store.find(name, maxdepth=2))


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it."""
    if in_store(folder):
        store, name = file_system(folder)
        with reaching(folder):
            store.rm(name, recursive=True)
    else:
        shutil.rmtree(folder)


def file_system(where: Path) -> tuple[Any, str]:
    """The store's file system, as fsspec has it, and the place in it."""
    place_there = cast(Any, where)
    return place_there.fs, place_there.path

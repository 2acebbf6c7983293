"""Files and folders that are written whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from phrasebox.errors import DataError
from phrasebox.io.paths import holds_any, in_store, reaching, remove


@contextmanager
def whole_file(path: Path, sync: bool = True) -> Iterator[Path]:
    """The name of a file beside ``path`` to write; it replaces ``path`` at the end and is removed if the block fails.

    Parameters
    ----------
    sync : bool
        Wait until the data is on the disk before the file is renamed, so that a power cut leaves the old file or the
        new one.
    """
    part = _beside(path)
    try:
        yield part
        if sync:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder beside ``path`` to fill; it takes the name ``path`` at the end and is removed if the block fails.

    There may be an empty folder at ``path``, but none with something in it.
    """
    part = _beside(path)
    shutil.rmtree(part, ignore_errors=True)  # left by a write that was killed
    try:
        part.mkdir(parents=True)
        yield part
        part.replace(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is never half-written; folders are made.

    Raises
    ------
    OSError
        With the file's name, also where there is no room for it.
    """
    if in_store(path):  # an object is put there whole
        with reaching(path):
            path.write_bytes(data)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_json(path: Path, value: Any) -> None:
    """`write_whole` for a value as JSON; half characters are escaped, as JSON allows."""
    write_whole(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """`whole_file` for an output that a person named: one process at a time, and failures are `DataError`.

    Raises
    ------
    DataError
        If ``path`` is a folder or lies inside a file, the system refuses to write (no space, no permission), or another
        process is writing it.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the name of a file to write")
    with _output(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            yield part


@contextmanager
def replacing_text(path: Path) -> Iterator[TextIO]:
    r"""`replacing` for a text: the open file, UTF-8 with ``\n`` at the ends of lines."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        yield file


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """`whole_folder` for an output that a person named: one process at a time, and failures are `DataError`.

    Raises
    ------
    DataError
        If ``path`` is a file, a folder with something in it, or lies inside a file, the system refuses to write, or
        another process is writing it.
    """
    if path.is_dir() and any(path.iterdir()):
        raise DataError(f"{path} is a folder with something in it; name a new one, or remove it first")
    if path.exists() and not path.is_dir():
        raise DataError(f"{path} is a file; name a new folder to write")
    with _output(path), whole_folder(path) as part:
        yield part


@contextmanager
def _output(path: Path) -> Iterator[None]:
    """Lock ``path`` against other processes of this user, and name it in a `DataError` if it cannot be written.

    The lock is a temporary file, not one beside the target, and ends with the process that holds it.
    """
    from filelock import FileLock, Timeout

    inside = next((parent for parent in path.parents if parent.exists()), None)
    if inside is not None and not inside.is_dir():
        raise DataError(f"{inside} is a file, so {path} cannot be written; name another folder")
    user = os.getuid() if hasattr(os, "getuid") else 0
    name = hashlib.sha256(f"{user} {path.absolute()}".encode(errors="surrogateescape")).hexdigest()[:24]
    try:
        with FileLock(Path(tempfile.gettempdir()) / f"phrasebox-{name}.lock", timeout=0):
            yield
    except Timeout:
        raise DataError(f"another phrasebox command is writing {path}; wait for it or stop it") from None
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}; make room or name another place") from error


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def remove_folder(folder: Path, doomed: Path | None = None) -> None:
    """Remove a folder, if it is there: it is renamed first, so that it is never there in part.

    Parameters
    ----------
    doomed : Path, optional
        What it is renamed to; beside it otherwise. Left by a removal that was cut short, it goes as well.
    """
    if in_store(folder):
        if holds_any(folder):
            remove(folder)
        return
    doomed = doomed or folder.with_name(f"{folder.name}.dropped")
    shutil.rmtree(doomed, ignore_errors=True)
    try:
        os.rename(folder, doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed)


def digest(path: Path, without: Path | None = None) -> str:
    """SHA-256 of a file; of a folder, of the names and sizes of its files, so that pictures need not be read.

    Parameters
    ----------
    without : Path, optional
        A folder inside that does not count.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    found = hashlib.sha256()
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if without is None or not _same(Path(folder, name), without))
        for name in sorted(names):
            file = Path(folder, name)
            found.update(
                f"{file.relative_to(path).as_posix()}\0{file.lstat().st_size}\0".encode(errors="surrogateescape")
            )
    return found.hexdigest()


def _same(one: Path, other: Path) -> bool:
    return one.absolute() == other.absolute()

"""Atomic writes: files and folders are written under a temporary name beside their place, then renamed."""

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
    """A temporary file name beside ``path``; the file replaces ``path`` at the end and is removed if the block fails.

    Parameters
    ----------
    sync : bool
        Write the data to the disk before renaming, so that a power cut leaves either the old or the new file.
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
    """A temporary folder beside ``path``; it is renamed to ``path`` at the end and removed if the block fails.

    ``path`` may be an empty folder.
    """
    part = _beside(path)
    shutil.rmtree(part, ignore_errors=True)  # left by a killed process
    try:
        part.mkdir(parents=True)
        yield part
        part.replace(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file atomically, and create its folder.

    Raises
    ------
    OSError
        With the file's name, also if the disk is full.
    """
    if in_store(path):  # object stores write atomically
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
    """Write a value as JSON atomically; lone surrogates are escaped."""
    write_whole(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """`whole_file` for a file that the user named: locked against other processes; failures raise `DataError`.

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
    r"""`replacing` for text: an open file, UTF-8 with ``\n`` line ends."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        yield file


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """`whole_folder` for a folder that the user named: locked against other processes; failures raise `DataError`.

    Raises
    ------
    DataError
        If ``path`` is a file, a folder with something in it, or lies inside a file, the system refuses to write, or
        another process is writing it.
    """
    if path.is_dir() and any(path.iterdir()):
        raise DataError(f"{path} is a folder that is not empty; give a new one, or remove it first")
    if path.exists() and not path.is_dir():
        raise DataError(f"{path} is a file; give a new folder to write")
    with _output(path), whole_folder(path) as part:
        yield part


@contextmanager
def _output(path: Path) -> Iterator[None]:
    """Lock ``path`` against other processes of this user; raise a `DataError` with its name if it cannot be written.

    The lock file is in the system's temporary folder; the lock ends with the process.
    """
    from filelock import FileLock, Timeout

    inside = next((parent for parent in path.parents if parent.exists()), None)
    if inside is not None and not inside.is_dir():
        raise DataError(f"{inside} is a file, so {path} cannot be written; give another folder")
    user = os.getuid() if hasattr(os, "getuid") else 0
    name = hashlib.sha256(f"{user} {path.absolute()}".encode(errors="surrogateescape")).hexdigest()[:24]
    try:
        with FileLock(Path(tempfile.gettempdir()) / f"phrasebox-{name}.lock", timeout=0):
            yield
    except Timeout:
        raise DataError(f"another phrasebox command is writing {path}; wait for it or stop it") from None
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}; make room or give another path") from error


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def remove_folder(folder: Path, doomed: Path | None = None) -> None:
    """Remove a folder if it exists; it is renamed first, so that an interrupted removal leaves no partial folder.

    Parameters
    ----------
    doomed : Path, optional
        Temporary name; by default beside it. A folder of this name from an interrupted removal is removed too.
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
    """SHA-256 of a file's content; for a folder, of the names and sizes of its files, which is fast.

    Parameters
    ----------
    without : Path, optional
        A subfolder to ignore.
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

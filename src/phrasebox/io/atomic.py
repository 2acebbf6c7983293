"""Small files that are whole or not there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from phrasebox.io.paths import holds_any, in_store, reaching, remove


def write_whole(path: Path, data: bytes) -> None:
    """Write beside and rename, so that the file is never half-written; folders are made.

    Raises
    ------
    OSError
        With the file's name, also where there is no room for it.
    """
    if in_store(path):  # an object is put there whole
        with reaching(path):
            path.write_bytes(data)
        return
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_json(path: Path, value: Any) -> None:
    """`write_whole` for a value as JSON; half characters are escaped, as JSON allows."""
    write_whole(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))


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

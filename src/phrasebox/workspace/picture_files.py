"""Image files that went or changed since their regions were made."""

from __future__ import annotations

import hashlib
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.io.images import image_size
from phrasebox.io.paths import in_store
from phrasebox.types import PictureFile

GONE = "no such file"
CHANGED = "changed since its regions were made"


def state_of(path: Path) -> PictureFile | None:
    """State of an image file now; None for a file in an object store.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    if in_store(path):
        return None
    about = path.stat()
    return PictureFile(about.st_size, about.st_mtime_ns, _digest(path))


def fault_of(path: Path, size: tuple[int, int], file: PictureFile | None = None) -> str:
    """Why an image file cannot be used with the boxes that are stored; empty if it can.

    The file is read only if its size in bytes is as before and its time is not. Files in an object store are not
    looked at.

    Parameters
    ----------
    size : (int, int)
        Width and height that the boxes refer to, in pixels; zeros if unknown.
    file : PictureFile, optional
        State of the file when its regions were made, if that is known.
    """
    if in_store(path):
        return ""
    try:
        about = path.stat()
        if file is not None and (about.st_size, about.st_mtime_ns) == (file.size, file.modified):
            return ""
        same = file is not None and about.st_size == file.size and _digest(path) == file.digest
        now = size if same else image_size(path)
    except FileNotFoundError:
        return f"{path}: {GONE}"
    except OSError as error:
        return f"{path}: {error.strerror}"
    except DataError as error:
        return str(error)
    if now != size and size[0]:
        return f"{path}: {CHANGED}: {now[0]} x {now[1]} pixels, was {size[0]} x {size[1]}"
    return "" if same or file is None else f"{path}: {CHANGED}: other content"


def has_moved(before: Path, now: Path) -> bool:
    """Whether an image file is to be read from another place: it is gone ``before``, or ``now`` holds the same."""
    if in_store(before) or in_store(now) or before.absolute() == now.absolute() or not now.is_file():
        return False
    if not before.is_file():
        return True
    return before.stat().st_size == now.stat().st_size and _digest(before) == _digest(now)


def remedies(workspace: Path, reasons: list[str]) -> list[str]:
    """What to do about files that went or changed, a line each."""
    found = []
    if any(reason.endswith(GONE) for reason in reasons):
        found.append(f"if pictures were moved, run: phrasebox import SOURCE {workspace} --images THEIR_FOLDER")
    if any(CHANGED in reason for reason in reasons):
        again = f"phrasebox regions {workspace} --fresh && phrasebox ground {workspace}"
        found.append(f"for pictures that changed, run: {again}")
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()

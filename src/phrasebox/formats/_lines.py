"""Read the lines of a text file, or the JSON objects of a JSONL file, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from phrasebox.errors import DataError
from phrasebox.types import Skipped

LONGEST = 1 << 24  # largest length of a line, in bytes
_HEAD = 1 << 16  # number of bytes read to recognise a file


def lines(path: Path) -> Iterator[bytes | None]:
    r"""Lines of a file with their ``\n``, without a byte-order mark; None for a line of more than 16 MiB.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            first = True
            while line := file.readline(LONGEST):
                whole = line.endswith(b"\n") or len(line) < LONGEST
                while not line.endswith(b"\n") and len(line) == LONGEST:  # skip the rest of the line
                    line = file.readline(LONGEST)
                yield (line.removeprefix(b"\xef\xbb\xbf") if first else line) if whole else None
                first = False
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None


def json_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]] | Skipped]:
    """Pairs of place (such as ``metadata.jsonl:12``) and JSON object of every line; `Skipped` for an invalid line.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    for number, line in enumerate(lines(path), start=1):
        place = f"{path.name}:{number}"
        if line is None:
            yield Skipped(place, f"the line is longer than {LONGEST} bytes")
        elif line.strip():
            value = _value(line)
            yield (place, value) if isinstance(value, dict) else Skipped(place, value)


def _value(line: bytes) -> dict[str, Any] | str:
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return "the line is not UTF-8 text"
    except json.JSONDecodeError as error:
        return f"not valid JSON at column {error.colno}: {error.msg}"
    except RecursionError:
        return "the JSON is nested too deeply"
    except ValueError as error:  # an integer with thousands of digits
        return f"not valid JSON: {str(error).partition(';')[0]}"
    return value if isinstance(value, dict) else "the line is not a JSON object"


def head(path: Path) -> bytes:
    """The first 64 KiB of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""

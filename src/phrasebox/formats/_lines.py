"""Read text files in the encodings that people have: lines, or the JSON values of a JSONL file, in constant memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from phrasebox.errors import DataError
from phrasebox.types import Remark, Skipped

LONGEST = 1 << 24  # largest length of a line, in characters
_HEAD = 1 << 16  # number of bytes read to recognise a file
_CHUNK = 1 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_HIGH = re.compile(rb"[\x80-\xff]+")
_CP1252 = "read as cp1252 (Windows), as it is not UTF-8; if its words look wrong, save it as UTF-8"


def head(path: Path) -> bytes:
    """The first 64 KiB of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def head_text(path: Path) -> str:
    """The first characters of a text file, whatever its encoding; empty if it cannot be read."""
    start = head(path)
    encoding = marked(start) or ("utf-8" if _is_utf8(start[:-4]) else "cp1252")
    return start.decode(encoding, "replace").removeprefix("\ufeff")


def encoding_of(path: Path) -> str:
    """Python's name of the encoding of a text file: UTF-8 or UTF-16, with or without a mark.

    A file that is UTF-8 but for some of its lines counts as UTF-8.

    Raises
    ------
    DataError
        If the file cannot be read, or its encoding is another, which the message names if it looks like cp1252.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_HEAD)
            if encoding := marked(start):
                return encoding
            decoder = codecs.getincrementaldecoder("utf-8")()
            file.seek(0)
            try:
                while data := file.read(_CHUNK):
                    decoder.decode(data)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                file.seek(0)
                return _of_lines(path, file)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    return "utf-8"


def _of_lines(path: Path, file: Any) -> str:
    """The encoding of a file that is not all UTF-8."""
    longest = broken = 0
    while line := file.readline(_CHUNK):
        if line.isascii():
            continue
        if _is_utf8(line):
            return "utf-8"
        broken += 1
        longest = max(longest, *(len(part) for part in _HIGH.findall(line)))
    # In Western languages letters beyond ASCII stand alone; in others, and in double-byte encodings, in rows.
    looks = ": it looks like cp1252 (Windows)" if broken and longest <= 2 else ""
    raise DataError(
        f"{path.name} is not UTF-8{looks}; save it as UTF-8 ('CSV UTF-8' in Excel), or run: "
        f"iconv -f {'cp1252' if looks else 'ITS_ENCODING'} -t utf-8 {path} > utf8{path.suffix}"
    )


def decoded(data: bytes) -> tuple[str, Remark | None]:
    """The text of a small file, and a remark if it is in another encoding than Unicode's.

    Raises
    ------
    DataError
        If the encoding is none of UTF-8, UTF-16 and cp1252.
    """
    try:
        return data.decode(marked(data) or "utf-8").removeprefix("\ufeff"), None
    except UnicodeDecodeError as error:
        at = error.start
    if max(map(len, _HIGH.findall(data)), default=0) <= 2:
        try:
            return data.decode("cp1252"), Remark(_CP1252)
        except UnicodeDecodeError:
            pass
    raise DataError(f"not UTF-8 text (byte {at}); save it as UTF-8")


def encoding_remark(path: Path, encoding: str) -> Iterator[Remark]:
    """What to say of an encoding that is not the usual one."""
    if encoding.startswith("utf-16"):
        yield Remark(f"{path.name} is read as UTF-16")


def marked(start: bytes) -> str | None:
    """The encoding that a byte-order mark, or zeros between the characters, tell."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    pairs = start[: len(start) // 2 * 2][:256]
    low, high = pairs[::2], pairs[1::2]
    if len(low) > 1 and low.count(0) * 20 <= len(low) and high.count(0) * 2 > len(high):
        return "utf-16-le"
    if len(low) > 1 and high.count(0) * 20 <= len(high) and low.count(0) * 2 > len(low):
        return "utf-16-be"
    return None


def _is_utf8(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def lines(path: Path, encoding: str) -> Iterator[str | None]:
    r"""Lines with their end (``\n``, ``\r\n`` or ``\r``), without a byte-order mark; None for one of over 16 MiB.

    Bytes that are not of the encoding become lone surrogates, which captions must not have.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
            first = True
            while line := file.readline(LONGEST):
                whole = line[-1] in "\r\n" or len(line) < LONGEST
                while line[-1:] not in ("\r", "\n", "") and len(line) == LONGEST:  # skip the rest of the line
                    line = file.readline(LONGEST)
                yield (line.removeprefix("\ufeff") if first else line) if whole else None
                first = False
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeError as error:  # an odd number of bytes in UTF-16
        raise DataError(f"{path}: not {encoding} text: {error}") from None


def json_lines(path: Path) -> Iterator[tuple[str, Any] | Skipped]:
    """Pairs of place (such as ``metadata.jsonl:12``) and JSON value of every line; `Skipped` for an invalid line.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    encoding = marked(head(path)) or "utf-8"
    for number, line in enumerate(lines(path, encoding), start=1):
        place = f"{path.name}:{number}"
        if line is None:
            yield Skipped(place, f"the line is longer than {LONGEST} characters", "row")
        elif line.strip():
            try:
                yield place, _value(line)
            except DataError as error:
                yield Skipped(place, str(error), "row")


def json_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]] | Skipped]:
    """As `json_lines`, of lines that are JSON objects."""
    for item in json_lines(path):
        if isinstance(item, Skipped) or isinstance(item[1], dict):
            yield item  # type: ignore[misc]
        else:
            yield Skipped(item[0], "the line is not a JSON object", "row")


def _value(line: str) -> Any:
    try:
        line.encode()
        return json.loads(line)
    except UnicodeEncodeError:
        raise DataError("the line is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise DataError(f"not valid JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise DataError("the JSON is nested too deeply") from None
    except ValueError as error:  # an integer with thousands of digits
        raise DataError(f"not valid JSON: {str(error).partition(';')[0]}") from None

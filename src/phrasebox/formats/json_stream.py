"""The elements of one array in a large JSON file, one at a time: the file is never in memory as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from phrasebox.errors import DataError

_CHUNK = 1 << 18  # characters; an image with five captions takes about a thousand
_BLANKS = " \t\n\r"


def array_elements(path: Path, name: str) -> Iterator[Any]:
    """Yield the elements of the array ``name`` of the object that a JSON file holds.

    A fault in the file is raised when it is reached, after the elements before it.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, is not JSON (with line and column), or has no such array.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _array(_JsonReader(file), path, name)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except RecursionError:
        raise DataError(f"{path}: the JSON is nested too deeply to be a data set") from None


def _array(reader: _JsonReader, path: Path, name: str) -> Iterator[Any]:
    try:
        if not reader.peek():
            raise DataError(f"{path} is empty; expected a JSON object with {name!r}")
        if reader.peek() != "{":
            raise DataError(f"{path}: expected a JSON object with {name!r} at the top")
        found = False
        for _ in reader.items("{", "}"):
            if reader.peek() != '"':
                raise reader.error("expected a name in double quotes")
            key = reader.value()
            reader.take(":")
            if key == name and reader.peek() == "[":
                found = True
                for _ in reader.items("[", "]"):
                    yield reader.value()
            else:
                reader.value()
        if reader.peek():
            raise reader.error("extra data after the object")
        if not found:
            raise DataError(f"{path}: no array {name!r} in it; is it another format?")
    except json.JSONDecodeError as error:
        line, column = reader.position(error)
        raise DataError(f"{path}: not valid JSON at line {line}, column {column}: {error.msg}") from None


class _JsonReader:
    """A cursor over JSON text that holds only the part being decoded."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._decode = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._ended = False
        self._line, self._column = 0, 0  # of the first character held, for messages

    def peek(self) -> str:
        """The next character that is not blank, or nothing at the end of the file."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANKS:
                self._at += 1
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._read(_CHUNK)

    def take(self, char: str) -> None:
        if self.peek() != char:
            raise self.error(f"expected {char!r}")
        self._at += 1

    def items(self, opening: str, closing: str) -> Iterator[None]:
        """Stop before every item of an object or array; the caller reads it before it asks for the next."""
        self.take(opening)
        if self.peek() != closing:
            yield
            while self.peek() == ",":
                self.take(",")
                yield
        self.take(closing)

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError:
                if self._ended:
                    raise
            else:
                if end < len(self._text) or self._ended:  # a number at the very end may go on in the next piece
                    self._at = end
                    return value
            # Doubling keeps the repeated attempts linear in the size of the value.
            self._read(max(_CHUNK, len(self._text) - self._at))

    def error(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, self._at)

    def position(self, error: json.JSONDecodeError) -> tuple[int, int]:
        """Line and column in the file, both 1-based, of an error in the text held."""
        return self._line + error.lineno, error.colno + (self._column if error.lineno == 1 else 0)

    def _read(self, size: int) -> None:
        done, rest = self._text[: self._at], self._text[self._at :]
        self._line += done.count("\n")
        last_break = done.rfind("\n")
        self._column = len(done) - last_break - 1 if last_break >= 0 else self._column + len(done)
        more = self._file.read(size)
        self._ended = not more
        self._text, self._at = rest + more, 0

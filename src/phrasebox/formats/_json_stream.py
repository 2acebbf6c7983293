"""Read the elements of arrays in a large JSON file one at a time, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from phrasebox.errors import DataError
from phrasebox.formats._lines import head, marked

_CHUNK = 1 << 18  # number of characters read at a time; an image with five captions has about a thousand
_LONGEST = 1 << 24  # largest number of characters of one element
_BLANKS = " \t\n\r"


def array_elements(path: Path, name: str) -> Iterator[Any]:
    """Yield the elements of the array ``name`` of the top-level object of a JSON file.

    A syntax error is raised when it is reached, after the elements before it were yielded.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, is not JSON (with line and column), holds an element of more than 16
        million characters, or has no such array.
    """
    return (element for _, element in arrays(path, (name,)))


def arrays(path: Path, names: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Elements of several arrays in one pass, as pairs of array name and element, in file order."""
    with _opened(path) as reader:
        yield from _members(reader, path, names)


def first_item(path: Path) -> tuple[str | None, Any] | None:
    """The first element of a file whose top level is an array, or the first name and value of an object.

    None if it is neither, empty or no JSON; of an array inside an object, the value is its first element in a list.
    """
    try:
        with _opened(path) as reader:
            if reader.peek() == "[":
                return next(((None, value) for value in _elements(reader)), None)
            if reader.peek() == "{":
                for _ in reader.items("{", "}"):
                    name = reader.value()
                    reader.take(":")
                    if reader.peek() == "[":
                        return str(name), [next(_elements(reader), None)]
                    return str(name), reader.value()
    except DataError:
        pass
    return None


def members(path: Path) -> Iterator[tuple[str, Any]]:
    """Names and values of a file whose top level is an object; an array gives its elements one by one.

    Raises
    ------
    DataError
        If the file cannot be read or is not JSON (with line and column).
    """
    with _opened(path) as reader:
        for _ in reader.items("{", "}"):
            name = reader.value()
            reader.take(":")
            if reader.peek() != "[":
                yield str(name), reader.value()
            else:
                yield from ((str(name), element) for element in _elements(reader))
        reader.end()


def list_elements(path: Path) -> Iterator[Any]:
    """Elements of a file whose top level is an array."""
    with _opened(path) as reader:
        if reader.peek() != "[":
            raise DataError(f"{path}: expected a JSON array at the top")
        yield from _elements(reader)
        reader.end()


@contextmanager
def _opened(path: Path) -> Iterator[_JsonReader]:
    reader = None
    try:
        with path.open(encoding=marked(head(path)) or "utf-8", newline="") as file:
            reader = _JsonReader(file)
            yield reader
    except json.JSONDecodeError as error:
        line, column = reader.position(error) if reader else (1, 1)
        raise DataError(f"{path}: not valid JSON at line {line}, column {column}: {error.msg}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeError:
        raise DataError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except RecursionError:
        raise DataError(f"{path}: the JSON is nested too deeply to be a data set") from None


def _members(reader: _JsonReader, path: Path, names: Collection[str]) -> Iterator[tuple[str, Any]]:
    sought = " and ".join(map(repr, names))
    if not reader.peek():
        raise DataError(f"{path} is empty; expected a JSON object with {sought}")
    if reader.peek() != "{":
        raise DataError(f"{path}: expected a JSON object with {sought} at the top")
    missing = set(names)
    for _ in reader.items("{", "}"):
        if reader.peek() != '"':
            raise reader.error("expected a name in double quotes")
        key = reader.value()
        reader.take(":")
        if reader.peek() != "[":
            reader.value()
            continue
        for element in _elements(reader):  # element by element also for other arrays, which may be as large
            if key in names:
                yield key, element
        missing.discard(key)
    reader.end()
    if missing:
        raise DataError(f"{path}: no array {' and '.join(map(repr, sorted(missing)))} in it; is it another format?")


def _elements(reader: _JsonReader) -> Iterator[Any]:
    for _ in reader.items("[", "]"):
        yield reader.value()


class _JsonReader:
    """A cursor over JSON text that holds only the part being decoded."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._decode = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._ended = False
        self._line, self._column = 0, 0  # position of the first character in memory, for messages

    def peek(self) -> str:
        """The next non-blank character; empty at the end of the file."""
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
        """Yield before every item of an object or array; the caller must read the item."""
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
            except ValueError as error:  # an integer with thousands of digits
                raise self.error(str(error).partition(";")[0]) from None
            else:
                if end < len(self._text) or self._ended:  # a number at the end may continue in the next chunk
                    self._at = end
                    return value
            if len(self._text) - self._at > _LONGEST:
                raise self.error(f"an element of more than {_LONGEST} characters")
            # Doubling keeps the repeated attempts linear in the size of the value.
            self._read(max(_CHUNK, len(self._text) - self._at))

    def end(self) -> None:
        if self.peek():
            raise self.error("extra data after the end")

    def error(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, self._at)

    def position(self, error: json.JSONDecodeError) -> tuple[int, int]:
        """Line and column in the file, both from 1, of a syntax error."""
        return self._line + error.lineno, error.colno + (self._column if error.lineno == 1 else 0)

    def _read(self, size: int) -> None:
        done, rest = self._text[: self._at], self._text[self._at :]
        self._line += done.count("\n")
        last_break = done.rfind("\n")
        self._column = len(done) - last_break - 1 if last_break >= 0 else self._column + len(done)
        more = self._file.read(size)
        self._ended = not more
        self._text, self._at = rest + more, 0

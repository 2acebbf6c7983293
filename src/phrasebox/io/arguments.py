"""Checks of what a caller in Python gives: one line that says what was given and what is wanted."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar, cast

from phrasebox.errors import DataError

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_LONGEST = 100  # characters of a value in a message
_URL = re.compile(r"(?:https?|ftp):/+", re.IGNORECASE)


def shown(value: object) -> str:
    """A value in a few words, for a message.

    Examples
    --------
    >>> shown("a dog"), shown(None), shown(b"abc"), shown([1, 2])
    ("the string 'a dog'", 'None', '3 bytes', 'the list [1, 2]')
    """
    given = cast(Any, value)  # of a type whose module is not imported here, as that takes time
    if value is None:
        return "None"
    if _is_array(value):
        return f"an array {given.shape} of {given.dtype}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if type(value).__module__.startswith("PIL."):
        return f"a PIL image of {given.width} x {given.height} pixels"
    kinds = {str: "the string ", list: "the list ", tuple: "the tuple ", dict: "the dict "}
    told = " ".join(_REPR.repr(value).split())
    return f"{kinds.get(type(value), f'{type(value).__name__} ')}{told[:_LONGEST]}"


def _is_array(value: object) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"


def is_url(value: object) -> bool:
    """Whether a value is an address on the web, or a `Path` made of one."""
    return isinstance(value, str | os.PathLike) and bool(_URL.match(os.fspath(value)))


def a_text(value: Any, name: str) -> str:
    """The value, if it is a string.

    Raises
    ------
    DataError
        If it is not.
    """
    if not isinstance(value, str):
        raise DataError(f"{name} is {shown(value)}; give one string")
    return value


def a_list(values: Any, name: str, of: str) -> Sequence[Any]:
    """The values, if they are a list or another sequence, and not one thing that only looks like a sequence.

    Parameters
    ----------
    of : str
        What the list holds, in the plural.

    Raises
    ------
    DataError
        If they are not.
    """
    is_one = isinstance(values, str | bytes | bytearray | memoryview | Mapping) or _is_array(values)
    if is_one or not hasattr(values, "__len__") or not hasattr(values, "__getitem__"):
        raise DataError(f"{name} is {shown(values)}; give a list of {of}")
    return cast(Sequence[Any], values)


def texts(values: Any, name: str) -> Sequence[str]:
    """The values, if they are a list of strings.

    Raises
    ------
    DataError
        If they are not.
    """
    for i, value in enumerate(a_list(values, name, "strings")):
        a_text(value, f"{name}[{i}]")
    return values


def a_kind(value: Any, kind: type[T], name: str) -> T:
    """The value, if it is of this class.

    Raises
    ------
    DataError
        If it is not.
    """
    if not isinstance(value, kind):
        raise DataError(f"{name} is {shown(value)}; give {'an array' if kind.__name__ == 'ndarray' else kind.__name__}")
    return value


def each(values: Any, kind: type[T], name: str) -> Iterator[T]:
    """The values one at a time, each of this class.

    Raises
    ------
    DataError
        If they are no values that can be iterated over, or one of them is of another class; the latter in its turn.
    """
    if isinstance(values, str | bytes | bytearray | Mapping | kind) or not isinstance(values, Iterable):
        raise DataError(f"{name} is {shown(values)}; give a list of {kind.__name__}")
    return (a_kind(value, kind, f"{name}[{i}]") for i, value in enumerate(values))


def an_array(values: Any, name: str, shape: str) -> np.ndarray:
    """The values as an array of numbers.

    Parameters
    ----------
    shape : str
        The wanted shape, for the message.

    Raises
    ------
    DataError
        If they are no numbers, or rows of different lengths.
    """
    import numpy as np

    try:
        found = np.asarray(values)
    except ValueError:
        found = np.empty((), object)
    if found.dtype.kind not in "biuf" or not found.ndim:
        raise DataError(f"{name} is {shown(values)}; give an array {shape} of numbers")
    return found


def a_number(value: Any, name: str) -> Any:
    """The value, if it is a number.

    Raises
    ------
    DataError
        If it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise DataError(f"{name} is {shown(value)}; give a number")
    return value


def spans(values: Any, name: str = "spans") -> list[tuple[int, int]]:
    """Spans, if they are a list of pairs of whole numbers.

    Raises
    ------
    DataError
        If they are not.
    """
    wanted = "give a list of (start, end) in characters of the caption, such as [(2, 11)]"
    found = []
    for value in a_list(values, name, "(start, end) in characters of the caption, such as [(2, 11)]"):
        try:
            start, end = (int(place) for place in value if not isinstance(place, str | float))
        except (TypeError, ValueError):
            raise DataError(f"{name} is {shown(values)}; {wanted}") from None
        found.append((start, end))
    return found


def pixel_boxes(found: np.ndarray) -> np.ndarray:
    """(N, 4) boxes, if they can be boxes in pixels.

    Raises
    ------
    DataError
        If they are not rows of four numbers, or all are from 0 to 1 as shares of the image are.
    """
    import numpy as np

    wanted = "give rows of x1, y1, x2, y2 in pixels"
    if not found.size and found.ndim <= 2:
        return np.zeros((0, 4), np.float32)
    if found.ndim != 2 or found.shape[1] != 4:
        raise DataError(f"boxes is {shown(found)}; {wanted}")
    if found.min() >= 0 and found.max() <= 1:
        raise DataError(f"boxes are all from 0 to 1; {wanted}: multiply by the width and height of the image")
    return found

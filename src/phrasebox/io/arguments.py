"""Checks of what a caller in Python gives: one line that says what was given and what is wanted."""

from __future__ import annotations

import inspect
import os
import re
import reprlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from phrasebox.errors import DataError

if TYPE_CHECKING:
    import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Sides = dict[str, tuple[int, str]]
"""Of each letter in the shapes of a call: its size, and the argument that has it."""
Wanted = str | type | list[type] | Callable[[Any, str], object]

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
    if _is_tensor(value):
        return f"a Tensor {tuple(given.shape)} of {str(given.dtype).removeprefix('torch.')}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if type(value).__module__.startswith("PIL."):
        return f"a PIL image of {given.width} x {given.height} pixels"
    kinds = {str: "the string ", list: "the list ", tuple: "the tuple ", dict: "the dict "}
    told = " ".join(_REPR.repr(value).split())
    return f"{kinds.get(type(value), f'{type(value).__name__} ')}{told[:_LONGEST]}"


def _is_array(value: object) -> bool:
    return (numpy := sys.modules.get("numpy")) is not None and isinstance(value, numpy.ndarray)


def _is_tensor(value: object) -> bool:
    return (torch := sys.modules.get("torch")) is not None and isinstance(value, torch.Tensor)


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


def a_whole_number(value: Any, name: str) -> Any:
    """The value, if it is a whole number.

    Raises
    ------
    DataError
        If it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DataError(f"{name} is {shown(value)}; give a whole number")
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


def checked(**wanted: Wanted) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check arguments of a function before it is called; None passes where the annotation allows it.

    Parameters
    ----------
    **wanted
        What each argument is: ``"(T, R)"`` an array of numbers of this shape, ``"(T,) int"`` one of whole numbers,
        ``"Tensor (B, R)"`` a torch tensor, ``"Tensor (B, R) bool"`` one of booleans; a letter has one size in all
        arguments of a call. ``str``, ``int`` and ``float`` are a string and numbers, another class is itself,
        ``[Word]`` is a list of a class, and a function such as `spans` checks the value of a name.

    Raises
    ------
    DataError
        By the function: one line that says what was given and what is wanted.

    Examples
    --------
    >>> import numpy as np
    >>> best = checked(scores="(T, R)", owner="(T,) int")(lambda scores, owner: scores.max())
    >>> best(np.zeros((3, 2)), np.arange(2))
    Traceback (most recent call last):
    phrasebox.errors.DataError: owner is an array (2,) of int64; give an array (T,) of integers, T = 3 as in scores
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = inspect.signature(function).parameters
        order = list(parameters)
        checks = [
            (order.index(name), name, _check(of), "None" in str(parameters[name].annotation))
            for name, of in wanted.items()
        ]

        @wraps(function)
        def call(*arguments: P.args, **named: P.kwargs) -> R:
            sides: Sides = {}
            for place, name, check, may_be_none in checks:
                if place < len(arguments):
                    value = arguments[place]
                elif name in named:
                    value = named[name]
                else:
                    continue
                if value is not None or not may_be_none:
                    check(value, name, sides)
            return function(*arguments, **named)

        return call

    return decorate


def _check(wanted: Wanted) -> Callable[[Any, str, Sides], object]:
    if isinstance(wanted, str):
        return _Array.written(wanted).check
    if isinstance(wanted, list):
        return lambda values, name, _: _each_of_a_list(values, wanted[0], name)
    if not isinstance(wanted, type):
        return lambda value, name, _: wanted(value, name)
    if wanted in _SIMPLE:
        return _check(_SIMPLE[wanted])
    return lambda value, name, _: a_kind(value, wanted, name)


_SIMPLE: dict[type, Callable[[Any, str], object]] = {str: a_text, int: a_whole_number, float: a_number}


def _each_of_a_list(values: Any, kind: type, name: str) -> None:
    for i, value in enumerate(a_list(values, name, kind.__name__)):
        if not isinstance(value, kind):
            a_kind(value, kind, f"{name}[{i}]")


@dataclass(frozen=True, slots=True)
class _Array:
    """A shape of an array or a tensor, and the kind of its values."""

    shape: str
    sides: tuple[int | str, ...]
    values: str
    tensor: bool

    @classmethod
    def written(cls, text: str) -> _Array:
        found = re.fullmatch(r"(Tensor )?(\((.*)\))(?: (int|bool))?", text)
        assert found, text
        sides = tuple(int(side) if side.isdigit() else side for side in re.split(r",\s*", found[3].rstrip(",")))
        return cls(found[2], sides, {"int": "integers", "bool": "booleans"}.get(found[4], "numbers"), bool(found[1]))

    def check(self, value: Any, name: str, sides: Sides) -> None:
        if not self._is_kind(value) or value.ndim != len(self.sides):
            raise self._refused(value, name)
        for side, size in zip(self.sides, value.shape, strict=True):
            if isinstance(side, int):
                if side != size:
                    raise self._refused(value, name)
            elif (known := sides.setdefault(side, (size, name)))[0] != size:
                raise self._refused(value, name, f", {side} = {known[0]} as in {known[1]}")

    def _is_kind(self, value: Any) -> bool:
        if self.tensor:
            if not _is_tensor(value):
                return False
            is_bool, is_float = value.dtype == sys.modules["torch"].bool, value.is_floating_point()
        else:
            if not _is_array(value) or value.dtype.kind not in "biuf":
                return False
            is_bool, is_float = value.dtype.kind == "b", value.dtype.kind == "f"
        return self.values == "numbers" or (is_bool if self.values == "booleans" else not is_bool and not is_float)

    def _refused(self, value: Any, name: str, more: str = "") -> DataError:
        what = "a Tensor" if self.tensor else "an array"
        return DataError(f"{name} is {shown(value)}; give {what} {self.shape} of {self.values}{more}")

"""Phrases to classes, for the formats of detectors: ``coco-detection``, ``yolo`` and ``fiftyone``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats._lines import decoded
from phrasebox.formats._reading import text_lines
from phrasebox.text.class_nouns import head

_OTHERS = "*"
_MOST_BYTES = 1 << 24


@dataclass(frozen=True, slots=True)
class Classes:
    """Which class a phrase is of: its head noun in the singular, unless a table says otherwise.

    Attributes
    ----------
    table : mapping of str to str
        Noun -> class; an empty class leaves the phrase out. A noun of several words (*fire hydrant*) is found too.
    others : bool
        Nouns that the table lacks are classes of their own; else they are left out.
    rare : frozenset of str
        Classes that are left out.
    empty : bool
        Pictures without a phrase are written too; detectors then learn that nothing is there.

    Examples
    --------
    >>> classes = Classes({"man": "person", "sky": ""}, others=True)
    >>> [classes.of(phrase) for phrase in ("two men", "the blue sky", "black and white dogs")]
    ['person', None, 'dog']
    """

    table: Mapping[str, str] = field(default_factory=dict)
    others: bool = True
    rare: frozenset[str] = frozenset()
    empty: bool = False

    @classmethod
    def read(cls, file: Path) -> Classes:
        """Read a table: a line a noun, or ``noun,class``.

        ``noun,`` leaves its phrases out. Nouns that are not listed are left out too, unless a line ``*`` keeps them.
        A tab or a colon separates as well as a comma. Lines that begin with ``#`` are comments.

        Raises
        ------
        DataError
            If the file cannot be read or is neither UTF-8 nor UTF-16, a line has more than two parts, a noun has two
            classes, or no class is listed.
        """
        table: dict[str, str] = {}
        others = False
        try:
            with file.open("rb") as opened:
                data = opened.read(_MOST_BYTES)
            if decoded(data)[1]:  # a guess, and the names of classes go into data sets
                raise DataError("not UTF-8 text; save it as UTF-8")
            lines = text_lines(data)
        except OSError as error:
            raise DataError(f"cannot read {file}: {error.strerror}; give a text file with a line a class") from None
        except DataError as error:
            raise DataError(f"{file}: {error}") from None
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            noun, *named = (" ".join(part.split()) for part in re.split(r"[,\t:]", line))
            if len(named) > 1 or not noun:
                raise DataError(f"{file}: line {number}: {line.strip()[:60]!r} is no line of noun, or noun,class")
            if noun == _OTHERS:
                others = True
                continue
            name = named[0] if named else noun
            if table.setdefault(noun.lower(), name) != name:
                raise DataError(f"{file}: line {number}: {noun!r} is of two classes; give it once")
        if not others and not any(table.values()):
            raise DataError(f"{file} lists no class; write a line noun, or noun,class, for each")
        return cls(table, others)

    def of(self, phrase: str) -> str | None:
        """The class of a phrase; None if it is left out."""
        noun, before = head(phrase)
        names = (" ".join([*before[len(before) - count :], noun]) for count in range(len(before), -1, -1))
        found = next((self.table[name] for name in names if name in self.table), noun if self.others else "")
        return found if found and found not in self.rare else None

    @property
    def listed(self) -> list[str]:
        """The classes of the table, in its order, without the rare ones."""
        return [name for name in dict.fromkeys(self.table.values()) if name and name not in self.rare]


class ClassIndex:
    """Classes with their numbers from 0: those of the table in its order, then others in order of first use.

    Examples
    --------
    >>> index = ClassIndex(Classes())
    >>> [index.of(phrase) for phrase in ("a brown dog", "two girls in the grass", "Dogs")], list(index)
    ([0, 1, 0], ['dog', 'girl'])
    """

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        self._numbers = {name: number for number, name in enumerate(classes.listed)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def of(self, phrase: str) -> int:
        """Number of the class of a phrase that has one."""
        return self._numbers.setdefault(self._classes.of(phrase) or "", len(self._numbers))

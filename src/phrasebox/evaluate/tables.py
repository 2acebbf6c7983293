"""Measured numbers with what they were measured on: protocol, split, counts, seeds; printed in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from phrasebox.errors import SettingsError
from phrasebox.io.arguments import each

if TYPE_CHECKING:
    import rich.table

_WIDEST = 9  # columns that fit a terminal


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One line of a `ResultTable`.

    Attributes
    ----------
    labels : tuple
        What the line is about, one entry a name in `ResultTable.label_names`.
    counts : tuple of int
        How many items the numbers rest on, one entry a name in `ResultTable.count_names`.
    values : tuple of float or None
        The numbers, one a name in `ResultTable.columns`; None where there was nothing to measure.
        With several seeds, their mean.
    sds : tuple of float or None
        Standard deviation of every value over the seeds; empty with one seed.
    """

    labels: tuple[str | float, ...]
    counts: tuple[int, ...]
    values: tuple[float | None, ...]
    sds: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultTable:
    """The numbers of one protocol on one split, with everything that has to be said beside them.

    Examples
    --------
    >>> row = ResultRow(("image->sentence",), (1000,), (31.02, 3.0))
    >>> table = ResultTable("retrieval", "val", (0,), ("direction",), ("queries",), ("R@1", "median rank"), (row,))
    >>> print(table.to_markdown())
    **retrieval · split val · seed 0**
    <BLANKLINE>
    | direction | queries | R@1 | median rank |
    |---|---:|---:|---:|
    | image->sentence | 1000 | 31.0 | 3.0 |
    >>> table.to_json()["rows"]
    [{'direction': 'image->sentence', 'queries': 1000, 'R@1': 31.02, 'median rank': 3.0}]
    """

    protocol: str
    split: str
    seeds: tuple[int, ...]
    label_names: tuple[str, ...]
    count_names: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[ResultRow, ...]

    @property
    def title(self) -> str:
        """Protocol, split and seeds in one line."""
        seeds = ", ".join(map(str, self.seeds))
        seeds = f"seed {seeds}" if len(self.seeds) == 1 else f"seeds {seeds}, mean ± sd"
        return f"{self.protocol} · split {self.split} · {seeds}"

    def named(self, protocol: str) -> ResultTable:
        """The same numbers under another protocol's name."""
        return replace(self, protocol=protocol)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``: unrounded, a flat record a row; a deviation's key ends in `` sd``."""
        records = []
        for row in self.rows:
            record: dict[str, Any] = dict(zip(self.label_names, row.labels, strict=True))
            record |= zip(self.count_names, row.counts, strict=True)
            record |= zip(self.columns, row.values, strict=True)
            record |= {f"{column} sd": sd for column, sd in zip(self.columns, row.sds, strict=False)}
            records.append(record)
        return {"protocol": self.protocol, "split": self.split, "seeds": list(self.seeds), "rows": records}

    def to_markdown(self) -> str:
        """The table in Markdown, for documentation."""
        names = (*self.label_names, *self.count_names, *self.columns)
        rules = ["---"] * len(self.label_names) + ["---:"] * (len(names) - len(self.label_names))
        lines = [" | ".join(names), *(" | ".join(_cells(row)) for row in self.rows)]
        head, *body = [f"| {line} |" for line in lines]
        return "\n".join([f"**{self.title}**", "", head, "|" + "|".join(rules) + "|", *body])

    def to_rich(self) -> rich.table.Table:
        """The table for the terminal; one with many numbers lies on its side, a row a number, to fit it."""
        from rich.table import Table
        from rich.text import Text

        # Text, so that a data set's own label is never taken for rich's markup.
        names = [Text(name) for name in (*self.label_names, *self.count_names, *self.columns)]
        rows = [list(map(Text, _cells(row))) for row in self.rows]
        texts = len(self.label_names)
        if len(names) > _WIDEST > len(rows):
            names, *rows = [list(column) for column in zip(names, *rows, strict=True)]
            texts = 1
        table = Table(title=Text(self.title), title_justify="left")
        for i, name in enumerate(names):
            table.add_column(name, justify="left" if i < texts else "right", overflow="fold")
        for row in rows:
            table.add_row(*row)
        return table


def combine(tables: Sequence[ResultTable]) -> ResultTable:
    """Join the same measurement made with several seeds into mean and standard deviation (n - 1 in the divisor).

    Parameters
    ----------
    tables : sequence of ResultTable
        At least two, of one seed each, all different; everything but the values must agree.

    Raises
    ------
    SettingsError
        If there are fewer than two, a seed comes twice, or they were not measured on the same items.

    Examples
    --------
    >>> one = ResultTable("retrieval", "val", (0,), (), (), ("R@1",), (ResultRow((), (), (30.0,)),))
    >>> two = ResultTable("retrieval", "val", (1,), (), (), ("R@1",), (ResultRow((), (), (32.0,)),))
    >>> combine([one, two]).rows[0].values, round(combine([one, two]).rows[0].sds[0], 3)
    ((31.0,), 1.414)
    """
    tables = list(each(tables, ResultTable, "tables"))
    seeds = tuple(seed for table in tables for seed in table.seeds)
    if len(tables) < 2 or len(seeds) != len(tables) or len(set(seeds)) != len(seeds):
        raise SettingsError(f"mean and deviation need two or more results of one seed each, all different; got {seeds}")
    if len({_frame(table) for table in tables}) > 1:
        raise SettingsError("results of different protocols, splits or items cannot be joined; measure them alike")
    rows = []
    for same in zip(*(table.rows for table in tables), strict=True):
        columns = list(zip(*(row.values for row in same), strict=True))
        rows.append(
            replace(same[0], values=tuple(_over(mean, c) for c in columns), sds=tuple(_over(stdev, c) for c in columns))
        )
    return replace(tables[0], seeds=seeds, rows=tuple(rows))


def _over(statistic: Callable[[list[float]], float], values: tuple[float | None, ...]) -> float | None:
    """Return the statistic of the numbers; None where no seed had anything to measure."""
    numbers = [value for value in values if value is not None]
    return statistic(numbers) if numbers else None


def _frame(table: ResultTable) -> ResultTable:
    """Return the table without seeds and values: what has to be equal in tables that are joined."""
    rows = tuple(replace(row, values=(), sds=()) for row in table.rows)
    return replace(table, seeds=(), rows=rows)


def _cells(row: ResultRow) -> list[str]:
    """Return the printed text of every entry of a row, numbers with one decimal."""
    cells = [str(entry) for entry in (*row.labels, *row.counts)]
    for value, sd in zip_longest(row.values, row.sds):
        number = "n/a" if value is None else f"{value:.1f}"
        cells.append(number if sd is None else f"{number} ± {sd:.1f}")
    return cells

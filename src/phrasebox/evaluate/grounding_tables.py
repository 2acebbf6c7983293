"""What was measured of grounding, as tables."""

from __future__ import annotations

from collections.abc import Iterable

from phrasebox.evaluate.grounding import Accuracy, GroundingReport, PhraseScores
from phrasebox.evaluate.tables import ResultRow, ResultTable

MEASURES = {"pointing-box": "pointing", "acc@0.5-any": "acc_any", "acc@0.5-merged": "acc_merged"}
"""Column -> attribute of `Accuracy`."""
LESS = "highest less lowest"
"""Label of the row that says how much the confidence tells."""


def grounding_tables(
    report: GroundingReport, split: str, seed: int, name: str = "grounding", merged: bool = True
) -> list[ResultTable]:
    """The numbers as tables: by type, by size, by confidence, and how much the boxes of a caption overlap.

    Parts that were not measured have no table.

    Parameters
    ----------
    split, seed
        What they were measured on and with.
    name : str
        How the tables' names begin.
    merged : bool
        Include acc@0.5-merged, which has no meaning where a phrase has the boxes of things it does not speak of.
    """
    columns = {column: of for column, of in MEASURES.items() if merged or of != "acc_merged"}

    def values(accuracy: Accuracy) -> tuple[float, ...]:
        return tuple(getattr(accuracy, of) for of in columns.values())

    def groups(title: str, label: str, found: Iterable[PhraseScores]) -> ResultTable:
        rows = [
            ResultRow((scores.group, method), (scores.count,), values(accuracy))
            for scores in found
            for method, accuracy in (
                ("model", scores.model),
                ("upper-bound", scores.upper_bound),
                ("baseline-centre/whole", scores.baseline),
            )
        ]
        return ResultTable(title, split, (seed,), (label, "method"), ("phrases",), tuple(columns), tuple(rows))

    tables = [
        groups(name, "type", (report.overall, *report.by_type)),
        groups(f"{name} by size", "largest true box", report.by_size),
    ]
    if parts := report.by_confidence:
        names = [f"{i}" for i in range(1, len(parts) + 1)]
        names[0], names[-1] = f"{names[0]} (lowest)", f"{names[-1]} (highest)"
        rows = [
            ResultRow((label,), (part.count,), (100 * part.least, 100 * part.most, *values(part.accuracy)))
            for label, part in zip(names, parts, strict=True)
        ]
        ends = zip(values(parts[-1].accuracy), values(parts[0].accuracy), strict=True)
        count = parts[0].count + parts[-1].count
        rows.append(ResultRow((LESS,), (count,), (None, None, *(highest - lowest for highest, lowest in ends))))
        shown = ("confidence from, %", "to, %", *columns)
        title = f"{name} by confidence"
        tables.append(ResultTable(title, split, (seed,), ("fifth",), ("phrases",), shown, tuple(rows)))
    if overlap := report.overlap:
        row = ResultRow(("different phrases",), (overlap.captions, overlap.pairs), (overlap.iou,))
        title = f"{name}, boxes of one caption"
        tables.append(
            ResultTable(title, split, (seed,), ("pairs of",), ("captions", "pairs"), ("mean IoU, %",), (row,))
        )
    return tables

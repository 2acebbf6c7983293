from __future__ import annotations

from phrasebox.evaluate import Accuracy, PhraseScores, grounding_tables
from phrasebox.evaluate.grounding import ConfidencePart, GroundingReport, Overlap

LOW, HIGH = Accuracy(20.0, 10.0, 5.0), Accuracy(90.0, 60.0, 55.0)


def scores(group: str, count: int) -> PhraseScores:
    return PhraseScores(group, count, model=HIGH, upper_bound=Accuracy(100.0, 100.0, 100.0), baseline=LOW)


def test_a_row_a_group_and_method():
    by_type, by_size = grounding_tables(
        GroundingReport(scores("all", 9), (scores("people", 4),), (scores("< 5 %", 2),)), "val", seed=0
    )
    assert [row.labels for row in by_type.rows] == [
        (group, method) for group in ("all", "people") for method in ("model", "upper-bound", "baseline-centre/whole")
    ]
    assert by_type.to_json()["rows"][0] == {
        "type": "all",
        "method": "model",
        "phrases": 9,
        "pointing-box": 90.0,
        "acc@0.5-any": 60.0,
        "acc@0.5-merged": 55.0,
    }
    assert (by_size.protocol, by_size.rows[0].labels) == ("grounding by size", ("< 5 %", "model"))


def test_the_last_row_says_how_much_the_confidence_tells():
    parts = tuple(ConfidencePart(2, i / 10, i / 10 + 0.05, HIGH if i == 4 else LOW) for i in range(5))
    report = GroundingReport(scores("all", 10), (), (), parts)
    table = grounding_tables(report, "all", 0, "category words", merged=False)[-1]
    assert table.protocol == "category words by confidence"
    assert [row.labels[0] for row in table.rows] == [
        "1 (lowest)", "2", "3", "4", "5 (highest)", "highest less lowest"
    ]  # fmt: skip
    assert table.rows[4].values == (40.0, 45.0, 90.0, 60.0)
    assert table.rows[5].counts == (4,)
    assert table.rows[5].values == (None, None, 70.0, 50.0)


def test_overlap_has_a_table_if_there_are_pairs():
    report = GroundingReport(scores("all", 10), (), overlap=Overlap(captions=3, pairs=7, iou=60.0))
    table = grounding_tables(report, "val", 0)[-1]
    assert table.to_json()["rows"] == [
        {"pairs of": "different phrases", "captions": 3, "pairs": 7, "mean IoU, %": 60.0}
    ]

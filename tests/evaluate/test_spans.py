from __future__ import annotations

import pytest

from phrasebox.errors import DataError
from phrasebox.evaluate import span_report
from phrasebox.types import TruePhrase

DOG, IT, CAT = (
    TruePhrase("a dog", (0, 5)),
    TruePhrase("it", (9, 11), types=("notvisual",)),
    TruePhrase("a cat", (12, 17)),
)


def test_counts_by_hand():
    # Of four spans the first is a true phrase, the second holds one, the third is part of one, the last is nothing.
    report = span_report([([(0, 5), (6, 11), (14, 17)], (DOG, IT, CAT)), ([(0, 3)], ())])
    every, visual = report.groups
    assert (every.captions, every.found, every.true) == (2, 4, 3)
    assert (every.right, every.exact, every.whole) == (25.0, pytest.approx(100 / 3), pytest.approx(200 / 3))
    assert (visual.true, visual.right, visual.exact, visual.whole) == (2, 25.0, 50.0, 50.0)
    table = report.table("val", 0)
    assert [row.labels for row in table.rows] == [("all",), ("visual",)]
    assert table.rows[1].values == (25.0, 50.0, 50.0)


def test_nothing_found_and_nothing_to_find_are_no_zero_percent():
    (every, _) = span_report([([], ())]).groups
    assert (every.right, every.exact, every.whole) == (None, None, None)


def test_no_caption():
    with pytest.raises(DataError, match="no caption with true phrases"):
        span_report([])

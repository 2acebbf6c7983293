from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from phrasebox.errors import SettingsError
from phrasebox.evaluate import ResultRow, ResultTable, combine


def table(
    seed: int, values: tuple[float | None, ...] = (30.0, None), split: str = "val", count: int = 5, label: str = "all"
) -> ResultTable:
    row = ResultRow((label,), (count,), values)
    return ResultTable("grounding", split, (seed,), ("type",), ("phrases",), ("pointing-box", "acc"), (row,))


def test_combine_is_mean_and_sample_deviation():
    joined = combine([table(4, (30.0, None)), table(2, (34.0, None)), table(9, (35.0, None))])
    (row,) = joined.rows
    assert joined.seeds == (4, 2, 9)
    assert row.values == (33.0, None)
    # Deviations -3, 1, 2: (9 + 1 + 4) / 2 = 7.
    assert row.sds[0] == pytest.approx(7**0.5)
    assert row.sds[1] is None
    assert (row.labels, row.counts) == (("all",), (5,))


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param([], id="none"),
        pytest.param([table(0)], id="one seed has no deviation"),
        pytest.param([table(0), table(0)], id="the same seed twice"),
        pytest.param([combine([table(0), table(1)]), table(2)], id="already joined"),
        pytest.param([table(0), table(1, split="test")], id="other split"),
        pytest.param([table(0), table(1, count=6)], id="other number of items"),
        pytest.param([table(0), table(1, label="people")], id="other rows"),
    ],
)
def test_combine_refuses(tables):
    with pytest.raises(SettingsError):
        combine(tables)


def test_title_names_seeds():
    assert table(3).title == "grounding · split val · seed 3"
    assert combine([table(0), table(1)]).title == "grounding · split val · seeds 0, 1, mean ± sd"


def test_markdown_of_several_seeds():
    assert combine([table(0, (30.0, None)), table(1, (32.0, None))]).to_markdown().splitlines() == [
        "**grounding · split val · seeds 0, 1, mean ± sd**",
        "",
        "| type | phrases | pointing-box | acc |",
        "|---|---:|---:|---:|",
        "| all | 5 | 31.0 ± 1.4 | n/a |",
    ]


def test_json_is_plain_and_unrounded():
    joined = combine([table(0, (30.0, None)), table(1, (32.0, None))]).to_json()
    assert json.loads(json.dumps(joined)) == {
        "protocol": "grounding",
        "split": "val",
        "seeds": [0, 1],
        "rows": [
            {"type": "all", "phrases": 5, "pointing-box": 31.0, "acc": None, "pointing-box sd": 2**0.5, "acc sd": None}
        ],
    }
    assert "pointing-box sd" not in table(0).to_json()["rows"][0]


def test_terminal_shows_every_cell():
    out = io.StringIO()
    Console(file=out, width=100).print(table(3, (61.25, 7.0), label="[bold]own[/bold]").to_rich())
    for text in ("grounding · split val · seed 3", "[bold]own[/bold]", "pointing-box", "61.2", "7.0"):
        assert text in out.getvalue()

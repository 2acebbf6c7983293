"""What fills the site's pages: figures, formulas, the command line."""

from __future__ import annotations

import json

import commands
import formulas
import pytest
import results

import formats
from phrasebox.cli import COMMANDS
from phrasebox.formats import READERS, WRITERS


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results._load.cache_clear()
    yield tmp_path
    results._load.cache_clear()


TABLE = {
    "protocol": "grounding",
    "split": "val",
    "seeds": [0],
    "rows": [{"type": "all", "method": "model", "phrases": 13123, "pointing-box": 66.753},
             {"type": "all", "method": "bound", "phrases": 13123, "pointing-box": None}],
}  # fmt: skip


@pytest.mark.parametrize("content", [[TABLE], {"about": "Why.", "command": "run it", "tables": [TABLE]}],
                         ids=["as a workspace keeps it", "as a benchmark does"])  # fmt: skip
def test_a_table_is_made_of_a_file(folder, content):
    (folder / "one.json").write_text(json.dumps(content), encoding="utf-8")
    lines = results.tables("one").splitlines()
    assert lines[-5:] == [
        "",
        "| type | method | phrases | pointing-box |",
        "|---|---|---:|---:|",
        "| all | model | 13,123 | 66.8 |",
        "| all | bound | 13,123 |  |",
    ]
    assert "**grounding · split val · seed 0**" in lines
    assert ("Printed by `run it`." in lines) == isinstance(content, dict)


def test_one_number_of_a_file(folder):
    (folder / "one.json").write_text(json.dumps([TABLE]), encoding="utf-8")
    assert results.figure("one / grounding / all, model / pointing-box") == "66.8"
    with pytest.raises(ValueError, match="2 rows"):
        results.figure("one / grounding / all / pointing-box")
    with pytest.raises(ValueError, match="no table"):
        results.tables("one / retrieval")


def test_written_tables_are_replaced(folder):
    (folder / "one.json").write_text(json.dumps([TABLE]), encoding="utf-8")
    page = "Before\n\n<!-- results one -->\nold\n<!-- end -->\n\nAfter\n"
    updated = results.updated(page)
    assert updated.startswith("Before\n\n<!-- results one -->\n\n**grounding")
    assert "old" not in updated
    assert updated.endswith("|  |\n\n<!-- end -->\n\nAfter\n")
    assert results.updated(updated) == updated


def test_columns_of_deviations_and_of_nothing(folder):
    rows = [{"method": "model", "CIDEr-D": 46.06, "CIDEr-D sd": 1.91, "SPICE": None, "recall@10": 0.987}]
    table = {"title": "captions", "rows": rows}
    (folder / "one.json").write_text(json.dumps([table]), encoding="utf-8")
    assert results.tables("one").splitlines()[-3:] == [
        "| method | CIDEr-D | recall@10 |",
        "|---|---:|---:|",
        "| model | 46.1 ± 1.9 | 0.987 |",
    ]


@pytest.mark.parametrize(
    ("value", "cell"), [(0.0, "0.0"), (0.0005, "0.0"), (0.034, "0.034"), (12345.6, "12,346"), ("a|b", "a\\|b")]
)
def test_cells(value, cell):
    assert results._cell(value) == cell


def test_formulas_become_mathml():
    found = formulas.to_mathml(r'<p><span class="arithmatex">\(v_i &lt; s\)</span></p>')
    assert found.startswith('<p><span class="formula"><math')
    assert "<msub><mi>v</mi><mi>i</mi></msub>" in found
    assert "arithmatex" not in found


@pytest.mark.parametrize("tex", [r"\nonsense x", "a & b"])
def test_a_formula_that_is_not_understood_is_refused(tex):
    with pytest.raises(ValueError, match="not understood"):
        formulas.to_mathml(f'<div class="arithmatex">\\[{tex}\\]</div>')


def test_the_page_of_commands_is_generated_from_the_application(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/mkdocs/__main__.py", "build"])
    page = commands.page()
    assert "```console\nphrasebox import [OPTIONS] SOURCE WS\n```" in page
    for name in COMMANDS:
        assert f"## {name} {{ #{name} }}" in page
    assert page.count("`--json`") == 1, "options of every command are listed once"
    assert "* `--min-confidence FLOAT`: Omit phrases with a lower confidence (0 to 1). *[default: 0.0]*" in page
    assert "Folder of the exported files" in page


def test_every_format_is_told():
    page = formats.page()
    for name in {*READERS, *WRITERS}:
        assert f"| `{name}` |" in page

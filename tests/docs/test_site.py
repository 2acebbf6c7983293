"""The README, the written tables, and the navigation: what pages promise of each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import results

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
DECISIONS = [page for page in PAGES if page.startswith("decisions/")]

ALIGNER, BOXLESS, CAPTIONER = "flickr8k-val", "flickr8k-val-selective-search", "flickr8k-val-captions"
CALIBRATED = "retrieval, calibrated with the query bank"
ROWS = {
    "image -> sentence": [
        (name, CALIBRATED, "image->sentence", column)
        for name in (ALIGNER, BOXLESS)
        for column in ("R@1", "R@5", "R@10")
    ],
    "sentence -> image": [
        (name, CALIBRATED, "sentence->image", column)
        for name in (ALIGNER, BOXLESS)
        for column in ("R@1", "R@5", "R@10")
    ],
    "phrases, centre": [
        (ALIGNER, "grounding", "all, model", "pointing-box"),
        (BOXLESS, "grounding", "all, model", "pointing-box"),
        (ALIGNER, "grounding", "all, baseline-centre/whole", "pointing-box"),
    ],
    "phrases, IoU": [
        (ALIGNER, "grounding", "all, model", "acc@0.5-any"),
        (BOXLESS, "grounding", "all, model", "acc@0.5-any"),
        (ALIGNER, "grounding", "all, baseline-centre/whole", "acc@0.5-any"),
        (ALIGNER, "grounding", "all, upper-bound", "acc@0.5-any"),
    ],
    "captions of images": [
        (CAPTIONER, "captions", "generator", "CIDEr-D"),
        (CAPTIONER, "captions", "nearest neighbour", "CIDEr-D"),
    ],
    "phrases of true boxes": [
        (CAPTIONER, "region captions, Entities boxes", "generator", "CIDEr-D"),
        (CAPTIONER, "region captions, Entities boxes", "generator of full images alone", "CIDEr-D"),
    ],
}
"""The rows of the README's table by their beginning, and where each of their first numbers comes from."""


def test_readme_is_short():
    assert README.count("\n") <= 110


@pytest.mark.parametrize("row", ROWS)
def test_readme_has_the_measured_figures(row):
    (line,) = [line for line in README.splitlines() if line.startswith(f"| {row}")]
    expected = [results.figure(" / ".join(place)) for place in ROWS[row]]
    assert re.findall(r"\d+\.\d", line.split("|", 2)[2])[: len(expected)] == expected


def test_tables_of_results_are_up_to_date():
    page = (DOCS / "results.md").read_text(encoding="utf-8")
    assert results.updated(page) == page, "run: python docs/making/results.py"


def test_every_measurement_is_on_a_page():
    pages = [(DOCS / page).read_text(encoding="utf-8") for page in PAGES]
    shown = {name for page in pages for name in re.findall(r"(?:\{\{|<!-- )results ([\w-]+)", page)}
    assert {path.stem for path in results.FOLDER.glob("*.json")} <= shown


def test_every_page_is_in_the_navigation():
    listed = re.findall(r"^\s+- (?:[^:\n]+: )?([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == PAGES


def test_every_decision_is_in_the_index():
    index = (DOCS / "decisions" / "index.md").read_text(encoding="utf-8")
    for page in DECISIONS:
        title = (DOCS / page).read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        assert page == "decisions/index.md" or f"[{title}]({page.removeprefix('decisions/')})" in index, page


def test_the_map_has_every_package_in_its_layer():
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)/?` \|", page, re.M)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    expected = [{name.strip() for name in layer.split("|")} for layer in layers]
    numbers = range(1, 1 + max(int(number) for number, _ in rows))
    assert [{name for at, name in rows if int(at) == number} for number in numbers] == expected


def test_architecture_is_short():
    assert (DOCS / "architecture.md").read_text(encoding="utf-8").count("\n") <= 80

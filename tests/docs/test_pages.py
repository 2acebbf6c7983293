"""Every example of the documentation's pages gives what the page says it gives."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```python\n(>>> .*?)^```$", re.M | re.S)
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if _BLOCK.search(page.read_text(encoding="utf-8"))]


def examples(page: Path) -> doctest.DocTest:
    """The blocks of a page as one session, each line where it stands in the page."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * (text.count("\n") + 1)
    for block in _BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        body = block[1].splitlines()
        lines[first : first + len(body)] = body
    return doctest.DocTestParser().get_doctest("\n".join(lines) + "\n", {}, page.name, str(page), 0)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_examples(page):
    said: list[str] = []
    done = doctest.DocTestRunner(verbose=False).run(examples(page), out=said.append)
    assert done.attempted > 0
    assert not done.failed, "".join(said)


def test_every_step_of_the_method_has_an_example():
    steps = [page for page in (DOCS / "learn").glob("*.md") if page.name != "index.md"]
    assert len(steps) == 7
    assert set(steps) <= set(PAGES)


def test_an_example_that_is_wrong_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Text\n\n```python\n>>> 1 + 1\n3\n```\n", encoding="utf-8")
    assert doctest.DocTestRunner(verbose=False).run(examples(page), out=lambda _: None).failed == 1

"""Every symbol of CONTRIBUTING's "Where is what" is defined in the file named beside it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (.+?) \| `([\w/]+\.py)` \| `([\w.]+)` \|$", re.M)
ROWS = _ROW.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


def defined(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """The classes, functions and variables that statements define, by name."""
    found: dict[str, ast.stmt] = {}
    for statement in body:
        match statement:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                found[statement.name] = statement
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = statement
    return found


def is_defined(symbol: str, source: str) -> bool:
    """Whether the source defines ``NAME``, or ``CLASS.NAME``."""
    body = ast.parse(source).body
    for name in symbol.split("."):
        found = defined(body).get(name)
        if found is None:
            return False
        body = found.body if isinstance(found, ast.ClassDef) else []
    return True


def test_at_least_20_ideas():
    assert len(ROWS) >= 20


@pytest.mark.parametrize(("idea", "file", "symbol"), ROWS, ids=[row[0] for row in ROWS])
def test_symbol_is_in_its_file(idea, file, symbol):
    assert is_defined(symbol, (ROOT / "src" / "phrasebox" / file).read_text(encoding="utf-8")), idea


@pytest.mark.parametrize("symbol", ["a", "A.c", "b", "A.b.c"])
def test_what_is_not_defined_is_found(symbol):
    assert not is_defined(symbol, "from x import a\nclass A:\n    def b(self): ...\n")

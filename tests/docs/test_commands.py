"""Every `phrasebox ...` that the documentation or the README shows is one that the program takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from phrasebox.cli import COMMANDS, app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.M | re.S)
_STARTED = re.compile(r"(torchrun [^|;]*-m )?(?=phrasebox )")  # by itself, or in several processes
_INLINE = re.compile(r"`(phrasebox [^`\n]+)`")


def shown(page: Path) -> Iterator[tuple[str, bool]]:
    """Command lines of a page, and whether each stands in a block, where it must be whole."""
    text = page.read_text(encoding="utf-8")
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if started := _STARTED.match(line):
                yield line[started.end() :], True
    for line in _INLINE.findall(_BLOCK.sub("", text)):
        yield line, False


LINES = [(page.relative_to(ROOT).as_posix(), line, whole) for page in PAGES for line, whole in shown(page)]


def taken(line: str) -> bool:
    """Whether the program takes this command line."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app, "config", ())  # files and models that a page names are not there
            app.parse_args(shlex.split(line, comments=True)[1:], print_error=False, exit_on_error=False)
    except CycloptsError:
        return False
    return True


@pytest.mark.parametrize(("page", "line", "whole"), LINES, ids=lambda value: value if isinstance(value, str) else "")
def test_command_lines(page, line, whole):
    words = shlex.split(line, comments=True)[1:]
    if not whole and len(words) == 1:  # a command's name alone
        assert words[0] in COMMANDS, page
    else:
        assert taken(line), page


def test_every_command_is_shown_somewhere():
    assert {shlex.split(line, comments=True)[1] for _, line, _ in LINES} >= set(COMMANDS)


@pytest.mark.parametrize("line", ["phrasebox regions", "phrasebox nonsense ws", "phrasebox align ws --nonsense"])
def test_what_the_program_does_not_take_is_found(line):
    assert not taken(line)

"""The page of all commands, generated from the application."""

from __future__ import annotations

import dataclasses
import os
import re

from phrasebox.cli import COMMANDS, app
from phrasebox.cli.app import Common

_SHARED = {field.name for field in dataclasses.fields(Common)}


def page(_: str = "") -> str:
    """The options of every command, once; then each command with its own arguments and options."""
    text = app.generate_docs(output_format="markdown", usage_name="phrasebox")
    found = re.findall(r"^## phrasebox ([\w-]+)\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if [name for name, _ in found] != list(COMMANDS):
        raise ValueError(f"the application lists {[name for name, _ in found]}, not {list(COMMANDS)}")
    shared: list[str] = []
    sections = []
    for name, text in found:
        usage = f"phrasebox {name} [OPTIONS]"
        text = re.sub(rf"^phrasebox {name} .*?\[OPTIONS\]", usage, text, flags=re.M)  # not how mkdocs was started
        if usage not in text:
            raise ValueError(f"no usage of {name} in the application's page")
        lines = _join(text.splitlines())
        common = [line for line in lines if _option(line) in _SHARED]
        shared = shared or common
        if common != shared:
            raise ValueError(f"phrasebox {name} lacks options that the other commands have")
        own = [line for line in lines if line not in common]
        while own and (not own[-1] or own[-1].startswith("**Parameters")):
            own.pop()
        sections.append("\n".join([f"## {name} {{ #{name} }}", *own]).rstrip())
    cores = f"*[default: {os.cpu_count() or 1}]*"  # of the machine that builds the site
    every = [line.replace(cores, "*[default: all]*") if _option(line) == "workers" else line for line in shared]
    return "\n\n".join(["## Options of every command", "\n".join(every), *sections])


def _join(lines: list[str]) -> list[str]:
    """Lists with an entry a line."""
    joined: list[str] = []
    for line in lines:
        if line.startswith("    ") and joined and joined[-1].startswith("* "):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return joined


def _option(line: str) -> str:
    found = re.match(r"\* `--([\w-]+)", line)
    return found[1] if found else ""

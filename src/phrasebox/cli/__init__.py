"""The command line: one file a command, each a few lines over the library; a command's file alone is imported."""

import ast
from pathlib import Path

from cyclopts import App, ArgumentCollection

from phrasebox.cli.app import app, main

__all__ = ["COMMANDS", "app", "main"]

COMMANDS = {
    "import": "import_:import_",
    "propose": "propose:propose",
    "regions": "regions:regions",
    "align": "align:align",
    "ground": "ground:ground",
    "evaluate": "evaluate:evaluate",
    "caption": "caption:caption",
    "describe": "describe:describe",
    "export": "export:export",
    "gallery": "gallery:gallery",
    "serve": "serve:serve",
    "mcp": "mcp:mcp",
    "point": "point:point",
    "index": "index:index",
    "search": "search:search",
    "run": "run:run",
    "demo": "demo:demo",
    "doctor": "doctor:doctor",
    "reproduce": "reproduce:reproduce",
}
"""Every command's file and function, in the order of the help."""


def _help(module: str, function: str) -> str:
    """The docstring of a command, read from its file so that the list of all commands imports none."""
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_bytes())
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return ast.get_docstring(next(found)) or ""


def _fill(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    from phrasebox.cli.settings import fill

    fill(app, commands, arguments)


app.config = [_fill]
for _place, (_name, _found) in enumerate(COMMANDS.items()):
    _help_text = _help(*_found.split(":"))
    app.command(f"phrasebox.cli.{_found}", name=_name, sort_key=_place, help=_help_text)

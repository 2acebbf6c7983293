"""The command line: one file a command, each a few lines over the library."""

from importlib import import_module

from phrasebox.cli.app import app, main
from phrasebox.cli.settings import fill

__all__ = ["COMMANDS", "app", "main"]

COMMANDS = {
    "import": "import_:import_",
    "regions": "regions:regions",
    "align": "align:align",
    "ground": "ground:ground",
    "evaluate": "evaluate:evaluate",
    "caption": "caption:caption",
    "describe": "describe:describe",
    "export": "export:export",
    "gallery": "gallery:gallery",
    "serve": "serve:serve",
    "point": "point:point",
    "index": "index:index",
    "search": "search:search",
    "run": "run:run",
    "demo": "demo:demo",
    "doctor": "doctor:doctor",
    "reproduce": "reproduce:reproduce",
}
"""Every command's file and function, in the order of the help."""

app.config = [fill]
for _place, (_name, _found) in enumerate(COMMANDS.items()):
    _module, _function = _found.split(":")
    app.command(getattr(import_module(f"phrasebox.cli.{_module}"), _function), name=_name, sort_key=_place)

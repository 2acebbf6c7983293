"""A workspace as an argument: users give a `phrasebox.Workspace`, functions work on its folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from phrasebox.errors import DataError
from phrasebox.io.arguments import shown
from phrasebox.workspace.workspace import Workspace

P = ParamSpec("P")
R = TypeVar("R")


class HasFolder(Protocol):
    """What a `phrasebox.Workspace` has: the tables, models and records of the folder."""

    _folder: Workspace


def folder_of(ws: Workspace | HasFolder) -> Workspace:
    """The folder of a workspace.

    Raises
    ------
    DataError
        If it is no workspace.
    """
    found = ws if isinstance(ws, Workspace) else getattr(ws, "_folder", None)
    if not isinstance(found, Workspace):
        raise DataError(f"the workspace is {shown(ws)}; give Workspace(FOLDER)")
    return found


def takes_workspace(
    function: Callable[Concatenate[Workspace, P], R],
) -> Callable[Concatenate[Workspace | HasFolder, P], R]:
    """Let the first argument of a function be a `phrasebox.Workspace` too."""

    @wraps(function)
    def call(ws: Workspace | HasFolder, /, *arguments: P.args, **named: P.kwargs) -> R:
        return function(folder_of(ws), *arguments, **named)

    return call

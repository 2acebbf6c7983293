"""Messages without paths of this machine."""

from __future__ import annotations

import re

_PATH = re.compile(r"(?<![\w.:/\\-])(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\",:;()<>]+)+")


def public_message(message: str, workspace: str = "") -> str:
    """One-line message without paths of this machine: the workspace becomes WS, other paths their last part.

    Examples
    --------
    >>> public_message("/home/ann/w has no regions yet; run: phrasebox regions /home/ann/w", "/home/ann/w")
    'WS has no regions yet; run: phrasebox regions WS'
    >>> public_message("the config of /opt/models/mine is damaged and/or old")
    'the config of mine is damaged and/or old'
    """
    return " ".join(without_paths(message, workspace).split())


def without_paths(text: str, workspace: str = "") -> str:
    """The text with WS in place of the workspace's path, and other paths as their last part."""
    if workspace:
        text = text.replace(workspace, "WS")
    return _PATH.sub(lambda path: re.split(r"[/\\]", path[0])[-1], text)

"""A validation split for workspaces that have none: some images of the train split, the same ones each time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from phrasebox.text.words import words
from phrasebox.workspace.workspace import Workspace

SHARE = 0.05
"""Fraction of the train images that is held out."""
LEAST = 20
"""Smallest number of images held out; nothing is held out of fewer than twice as many."""


def hold_out(ws: Workspace, told: Callable[[str], object] = lambda line: None, no_val: bool = False) -> int:
    """Hold images of the train split out for validation if the workspace has no val split.

    The images are those whose keys have the smallest hashes, so that training, captioning and evaluation agree on them.
    They count as the val split in this `Workspace` object; the tables are not changed.

    Parameters
    ----------
    told : callable
        Is given one line that says what was done; nothing if there is a val split.
    no_val : bool
        Hold nothing out.

    Returns
    -------
    int
        Number of images held out.
    """
    if no_val or ws.held_out or ws.count("images", "val"):
        return len(ws.held_out)
    keys = [row.key for batch in ws.images("train") for row in batch if any(map(words, row.captions))]
    keys.sort(key=lambda key: hashlib.sha256(key.encode()).digest())
    if len(keys) < 2 * LEAST:
        if keys:  # without any, training says what is missing
            told(f"no validation split, and {len(keys)} train images with captions are too few to make one")
        return 0
    ws.hold_out(keys[: max(LEAST, round(SHARE * len(keys)))])
    told(
        f"no validation split: {len(ws.held_out)} of the {len(keys)} train images with captions are held out for it; "
        "--no-val turns this off"
    )
    return len(ws.held_out)

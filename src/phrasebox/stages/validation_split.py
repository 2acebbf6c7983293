"""What to validate and measure on where a workspace has no val split: some train images, or all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from phrasebox.text.words import words
from phrasebox.workspace.workspace import Workspace

SHARE = 0.05
"""Fraction of the train images that is held out."""
ALL = "all"
"""Name of what is measured where the images of every split are."""
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
    if len(keys) < 2 * LEAST:
        if keys:  # without any, training says what is missing
            told(f"no validation split, and {len(keys)} train images with captions are too few to make one")
        return 0
    ws.hold_out(by_hash(keys)[: max(LEAST, round(SHARE * len(keys)))])
    told(
        f"no validation split: {len(ws.held_out)} of the {len(keys)} train images with captions are held out for it; "
        "--no-val turns this off"
    )
    return len(ws.held_out)


def by_hash(keys: Iterable[str]) -> list[str]:
    """The keys in the order of their hashes: the same for the same keys, and like a random one."""
    return sorted(keys, key=lambda key: hashlib.sha256(key.encode()).digest())


def of_tables(split: str) -> str | None:
    """The split as a `Workspace` takes it: None for the images of every split."""
    return None if split == ALL else split


def split_to_measure(
    ws: Workspace, split: str | None, own: bool, told: Callable[[str], object] = lambda line: None
) -> str:
    """The split to measure a model on: the one asked for, else val, else what the model was not trained on.

    Without a val split, a model that was trained on this workspace is measured on the images that `hold_out` keeps from
    training, and any other model, such as the built-in one, on all images.

    Parameters
    ----------
    split : str or None
        What the user asked for, if anything.
    own : bool
        Whether the model was trained on this workspace.
    told : callable
        Is given one line that says what is measured, where the workspace has no val split.
    """
    if split and split != "val":
        return split
    if ws.count("images", "val") and not ws.held_out:
        return "val"
    if split is None and not own:
        told("no val split: all images are measured, as the model is not one of this workspace")
        return ALL
    said = bool(ws.held_out)
    if hold_out(ws):
        if not said:
            told(f"no val split: the {len(ws.held_out)} train images that training holds out are measured")
        return "val"
    if split is None:
        told("no val split, and too few images to hold some out: all are measured, though the model learned from them")
        return ALL
    return "val"

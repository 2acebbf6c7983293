"""Count the pictures of a data set's folder that no caption or box names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from phrasebox.formats._disk_grouping import NumberedNames
from phrasebox.formats._reading import is_picture
from phrasebox.types import Example, Remark, Skipped


def with_unnamed(items: Iterable[Example | Skipped | Remark], source: Path) -> Iterator[Example | Skipped | Remark]:
    """The items of a reader, then one `Skipped` for the pictures of the folder that none of them was about."""
    with NumberedNames() as named:
        for item in items:
            if isinstance(item, Example):
                named.of(os.path.abspath(item.image))
            elif isinstance(item, Skipped) and item.kind == "picture":
                named.of(os.path.abspath(os.path.join(source, item.key)))
            yield item
        first, count = "", 0
        for folder, folders, files in os.walk(source):
            if {"manifest.json", "lock"} <= {*files}:  # a workspace
                folders.clear()
                continue
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = os.path.join(folder, name)
                if is_picture(name) and not name.startswith(".") and os.path.abspath(path) not in named:
                    first, count = first or os.path.relpath(path, source), count + 1
        if count:
            reason = (
                "no caption or box names these pictures; --format folder imports all, with the text files beside them"
            )
            yield Skipped(first.encode("utf-8", "backslashreplace").decode(), reason, count=count)

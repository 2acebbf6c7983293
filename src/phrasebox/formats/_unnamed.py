"""Count the pictures of a data set's folder that no caption or box names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from phrasebox.formats._disk_grouping import NumberedNames
from phrasebox.formats._reading import is_picture
from phrasebox.formats.folder import Folder, read_picture
from phrasebox.types import Example, Remark, Skipped


def with_unnamed(
    items: Iterable[Example | Skipped | Remark], source: Path, format: str
) -> Iterator[Example | Skipped | Remark]:
    """The items of a reader of ``format``, then a `Skipped` for the pictures of the folder that none of them was about.

    Those of them that have a caption in a file of their own are a `Skipped` too.
    """
    captioned = (
        f"the caption is in a file beside the picture, which was not read because the {format} file was; "
        "import again with --format folder to add it"
    )
    bare = "no caption or box names these pictures; --format folder imports them too"
    with NumberedNames() as named:
        for item in items:
            if isinstance(item, Example):
                named.of(os.path.abspath(item.image))
            elif isinstance(item, Skipped) and (item.image or item.kind == "picture"):
                named.of(os.path.abspath(item.image or os.path.join(source, item.key)))
            yield item
        unnamed: dict[str, tuple[str, int]] = {}
        for folder, folders, files in os.walk(source):
            if {"manifest.json", "lock"} <= {*files}:  # a workspace
                folders.clear()
                continue
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            pictures = [name for name in sorted(files) if is_picture(name) and not name.startswith(".")]
            held = Folder(folder, pictures, {*files}.difference(pictures))
            for name in pictures:
                path = os.path.join(folder, name)
                if os.path.abspath(path) not in named:
                    own = any(isinstance(item, Example) and item.captions for item in read_picture(held, name, source))
                    reason = captioned if own else bare
                    first, count = unnamed.get(reason, (os.path.relpath(path, source), 0))
                    unnamed[reason] = first, count + 1
        for reason, (first, count) in unnamed.items():
            yield Skipped(first.encode("utf-8", "backslashreplace").decode(), reason, count=count)

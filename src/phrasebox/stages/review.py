"""Store reviewed captions in a workspace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from phrasebox.types import Example, Skipped
from phrasebox.workspace.workspace import Workspace

_BATCH = 1024  # number of images in memory before they are stored


class Reviews:
    """Stores reviewed captions of images in the workspace, in batches, and counts them.

    A reviewed caption that the image does not have is reported to ``skip``.
    """

    def __init__(self, ws: Workspace, skip: Callable[[Sequence[Skipped]], None]) -> None:
        self._ws = ws
        self._skip = skip
        self._waiting: list[Example] = []
        self.count = 0

    def add(self, example: Example) -> None:
        """Add the reviewed captions of an image."""
        if any(caption.reviewed for caption in example.captions):
            self._waiting.append(example)
        if len(self._waiting) >= _BATCH:
            self.store()

    def store(self) -> None:
        """Store what was added since the last call."""
        keys = [example.key for example in self._waiting]
        own = {row.key: row.captions for rows in self._ws.images(keys=keys) for row in rows}
        known: list[Example] = []
        for example in self._waiting:
            reviewed = [caption for caption in example.captions if caption.reviewed]
            good = tuple(caption for caption in reviewed if caption.text in own[example.key])
            bad = [Skipped(example.key, f"has no caption {c.text!r}") for c in reviewed if c not in good]
            self._skip(bad)
            self.count += len(good)
            known.append(replace(example, captions=good))
        self._ws.put_reviewed(known)
        self._waiting.clear()

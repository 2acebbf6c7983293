"""What an import changes of images that the workspace has already: captions, splits, and where their files are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phrasebox.stages.account import Account
from phrasebox.types import Example, Remark
from phrasebox.workspace.picture_files import has_moved
from phrasebox.workspace.schema import ImageRow
from phrasebox.workspace.workspace import Workspace

_MOVED = Remark("images are now read from where this import found them, as their files had moved")
_IMAGES = 16_384  # number of images changed in one commit, which rewrites their rows


class Additions:
    """Changes of images that are there, which wait until one commit is worth it; the account counts them.

    An image whose file is gone, or has a copy, is read from where the import found it.

    Parameters
    ----------
    move : bool
        Put the images into the split of the examples.
    """

    def __init__(self, ws: Workspace, account: Account, move: bool) -> None:
        self._ws = ws
        self._account = account
        self._move = move
        self._captions: dict[str, list[str]] = {}
        self._splits: dict[str, str] = {}
        self._paths: dict[str, Path] = {}

    def add(self, examples: Sequence[Example]) -> None:
        """Take what is new of images that are there."""
        if not examples:
            return
        there = {row.key: row for rows in self._ws.images(keys=[one.key for one in examples]) for row in rows}
        for example in examples:
            self._account.present += 1
            self._take(example, there[example.key])
        if len(self._captions.keys() | self._splits.keys() | self._paths.keys()) >= _IMAGES:
            self.store()

    def _take(self, example: Example, row: ImageRow) -> None:
        if has_moved(self._paths.get(row.key, row.path), example.image):
            self._paths[row.key] = example.image
            self._account.remark(_MOVED)
        known = [*row.captions, *self._captions.get(row.key, ())]
        texts = [caption.text for caption in example.captions if not caption.reviewed]
        # Data sets with ground truth write the captions of others in their own way, and keep theirs with the phrases.
        has_truth = any(caption.phrases for caption in example.captions)
        new = [] if has_truth and known else [text for text in dict.fromkeys(texts) if text not in known]
        self._account.captions_present += len(texts) - len(new)
        if new:
            self._captions[row.key] = [*self._captions.get(row.key, ()), *new]
            self._account.captions += len(new)
            self._account.added += len(new)
        if self._move and example.split != self._splits.get(row.key, row.split):
            self._splits[row.key] = example.split
            self._account.moved += 1
        elif not self._move and example.split not in ("train", row.split):
            self._account.stayed += 1

    def store(self) -> None:
        """Store what waits."""
        if self._captions or self._splits or self._paths:
            self._ws.change_images(self._captions, self._splits, self._paths)
        self._captions, self._splits, self._paths = {}, {}, {}

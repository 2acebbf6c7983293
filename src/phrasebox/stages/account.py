"""The account of an import: what was seen, imported, there already, and left out for which reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from phrasebox.types import Remark, Skipped

_REASONS = 200  # number of different reasons that are told apart
_OTHER = "other reasons"
_WORDS = {"picture": "images", "file": "files", "row": "rows", "caption": "captions", "box": "boxes or phrases"}
_UNITS = ("picture", "file")  # what is counted as seen; the others are parts of them


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Items of one kind that were left out for one reason, and the first of them."""

    kind: str
    reason: str
    count: int
    first: str

    def line(self) -> str:
        """In words, for a list."""
        if self.count == 1:
            return f"{self.first}: {self.reason}"
        return f"{self.count} {_WORDS[self.kind]}: {self.reason} ({self.first}{', ...' if self.kind != 'file' else ''})"


@dataclass(frozen=True, slots=True)
class Imported:
    """The account of one import.

    ``seen`` images (and files that are none) are ``images`` that were imported, those that were ``present``, and
    those left out. ``skipped`` counts all items that were left out, of which ``left_out`` has the reasons.

    Attributes
    ----------
    images, captions : int
        Imported; of the captions, ``added`` are of images that were there already.
    truth, own, reviewed : int
        Images with ground truth, images with user boxes, and reviewed captions, imported.
    present, captions_present : int
        Images and captions that were in the workspace already.
    moved, stayed : int
        Images that were there and were put into another split, or stay in theirs although the source has another one.
    """

    images: int
    captions: int
    truth: int
    own: int
    reviewed: int
    skipped: int
    present: int
    seen: int
    added: int
    captions_present: int
    moved: int
    stayed: int
    left_out: tuple[LeftOut, ...]
    remarks: tuple[Remark, ...]

    def lines(self) -> list[str]:
        """What there is to say beside the numbers of images and captions."""
        units = sum(one.count for one in self.left_out if one.kind in _UNITS)
        found = []
        if units or self.present:
            found.append(f"{self.seen} seen: {self.images} imported, {self.present} there already, {units} left out")
        if self.moved:
            found.append(f"{self.moved} images that were there are now in another split, as --split says")
        if self.stayed:
            found.append(f"{self.stayed} images stay in the split that they were in; --split would change it")
        if self.skipped:
            found += [f"{self.skipped} left out:", *(f"  {one.line()}" for one in self.left_out)]
        return found

    def remarked(self) -> list[str]:
        """What the readers say that they did."""
        return [f"{remark.count} {remark.text}" if remark.count > 1 else remark.text for remark in self.remarks]


class Account:
    """Counts while an import goes on; memory does not grow with the number of items."""

    def __init__(self) -> None:
        self.images = self.captions = self.truth = self.own = self.present = 0
        self.seen = self.added = self.captions_present = self.moved = self.stayed = 0
        self.first: Skipped | None = None
        self._left_out: dict[tuple[str, str], tuple[int, str]] = {}
        self._remarks: dict[str, int] = {}

    def leave_out(self, items: Iterable[Skipped], seen: bool = True) -> None:
        """Count items that are left out; ``seen`` if they were not counted as seen before."""
        for item in items:
            self.first = self.first or item
            if seen and item.kind in _UNITS:
                self.seen += item.count
            which = item.kind, item.reason
            if which not in self._left_out and len(self._left_out) >= _REASONS:
                which = item.kind, _OTHER
            count, first = self._left_out.get(which, (0, item.key))
            self._left_out[which] = count + item.count, first

    def remark(self, remark: Remark) -> None:
        """Count what a reader says."""
        if remark.text in self._remarks or len(self._remarks) < _REASONS:
            self._remarks[remark.text] = self._remarks.get(remark.text, 0) + remark.count

    def left_out(self) -> Iterator[LeftOut]:
        """The reasons, in the order of their first items."""
        for (kind, reason), (count, first) in self._left_out.items():
            yield LeftOut(kind, reason, count, first)

    def anything(self) -> bool:
        """Whether anything was imported or there."""
        return any((self.images, self.captions, self.truth, self.own, self.present))

    def closed(self, reviewed: int) -> Imported:
        """The account at the end."""
        left_out = tuple(self.left_out())
        return Imported(
            images=self.images,
            captions=self.captions,
            truth=self.truth,
            own=self.own,
            reviewed=reviewed,
            skipped=sum(one.count for one in left_out),
            present=self.present,
            seen=self.seen,
            added=self.added,
            captions_present=self.captions_present,
            moved=self.moved,
            stayed=self.stayed,
            left_out=left_out,
            remarks=tuple(Remark(text, count) for text, count in self._remarks.items()),
        )

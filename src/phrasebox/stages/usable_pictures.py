"""Images whose files are there and are those that the regions were made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from phrasebox.errors import DataError
from phrasebox.io.images import is_turned, load_image
from phrasebox.types import GroundedImage, Regions, Skipped
from phrasebox.workspace.picture_files import fault_of, remedies
from phrasebox.workspace.workspace import Workspace


class UsablePictures:
    """Leaves out images whose files are gone or changed, and collects them.

    Attributes
    ----------
    left_out : list of Skipped
        The images, each with the reason.
    turned : int
        Number of the other images that EXIF turns, if they are to be counted.
    """

    def __init__(self, ws: Workspace, count_turned: bool = False) -> None:
        self._workspace, self._count_turned = ws.path, count_turned
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.left_out: list[Skipped] = []
        self.turned = 0
        self._seen = 0

    def of(self, records: Iterable[GroundedImage]) -> Iterator[GroundedImage]:
        """The images that can be used."""
        for record in records:
            self._seen += 1
            if fault := fault_of(record.image, (record.width, record.height), record.file):
                self.left_out.append(Skipped(record.key, fault))
                continue
            self.turned += self._count_turned and is_turned(record.image)
            yield record

    def pixels(self, key: str, path: Path, regions: Regions) -> np.ndarray | None:
        """The image, (H, W, 3) uint8; None if it cannot be used with these regions."""
        self._seen += 1
        fault = fault_of(path, (regions.width, regions.height), regions.file)
        try:
            if not fault:
                return load_image(path)
        except DataError as error:
            fault = str(error)
        self.left_out.append(Skipped(key, fault))
        return None

    def refuse_if_all(self) -> None:
        """Raise `DataError` if images were left out, and no other was seen."""
        if self.left_out and len(self.left_out) == self._seen:
            first = self.left_out[0].reason
            what = "; ".join([first, *remedies(self._workspace, [item.reason for item in self.left_out])])
            raise DataError(f"all {self._seen} images are left out: {what}")

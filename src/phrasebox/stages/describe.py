"""Describe a folder of images into a file of JSON lines; an interrupted run is continued."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from phrasebox.captioner import Captioner, Description, SpeechSettings
from phrasebox.errors import DataError
from phrasebox.formats.folder import read as read_folder
from phrasebox.io.images import DECODED, image_size, load_reduced
from phrasebox.pipeline import Engine, Mapped, Mapper, run
from phrasebox.pipeline.local import Counts
from phrasebox.pipeline.progress import progress
from phrasebox.regions.reduced import ENOUGH
from phrasebox.types import Example, Skipped

_BATCH = 8
_Loaded = tuple[str, np.ndarray, tuple[int, int]]  # key, pixels that may be reduced, width and height of the file


def describe_folder(
    captioner: Captioner,
    folder: Path,
    out: Path,
    regions: int = 8,
    speech: SpeechSettings | None = None,
    quiet: bool = False,
    skip: Callable[[list[Skipped]], object] = lambda skipped: None,
    engine: Engine | None = None,
) -> Counts:
    """Append one line for every image below ``folder`` that has none in ``out`` yet.

    An incomplete last line is removed and written again. Images that cannot be read are passed to ``skip``. The default
    ``engine`` is local, with the captioner's number of workers.

    Raises
    ------
    DataError
        If there is no image, or ``out`` holds something other than descriptions.
    """
    pictures = [item for item in read_folder(folder) if isinstance(item, Example)]
    if not pictures:
        raise DataError(f"no images in {folder}; give an image, or a folder of images")
    done = {line["image"] for line in read_lines(out, mend=True)}
    todo = [picture for picture in pictures if picture.key not in done]
    out.parent.mkdir(parents=True, exist_ok=True)

    def append(lines: list[str]) -> None:
        with out.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    mapper, engine = DescribeMapper(captioner, regions, speech), engine or Engine(workers=captioner.workers)
    with progress("describe", total=len(todo), quiet=quiet) as advance:
        return run(todo, mapper, append, skip, batch=_BATCH, engine=engine, progress=advance)


@dataclass(eq=False)
class DescribeMapper(Mapper[Example, str]):
    """Images -> one JSON line each."""

    captioner: Captioner
    regions: int
    speech: SpeechSettings | None

    def __post_init__(self) -> None:
        self.device = self.captioner.device

    def load(self, item: Example) -> _Loaded:
        """Decode the image."""
        return item.key, *load_reduced(item.image, ENOUGH)

    def expect(self, item: Example) -> int:
        """Bytes of decoding, from the size in the file's header."""
        try:
            width, height = image_size(item.image)
        except DataError:  # `load` tells it
            return 0
        return DECODED * width * height

    def weigh(self, loaded: _Loaded) -> int:
        """Size of the pixels in bytes."""
        return loaded[1].nbytes

    def __call__(self, batch: list[_Loaded]) -> Mapped[str]:
        """Describe the images as one batch."""
        found = self.captioner.describe_many([pixels for _, pixels, _ in batch], self.regions, self.speech)
        lines = (_in_whole(d, size).to_json() | {"image": key} for (key, _, size), d in zip(batch, found, strict=True))
        return Mapped([json.dumps(line, ensure_ascii=False) for line in lines])

    def alone(self) -> DescribeMapper:
        """A copy for another process, with one thread and without cached networks."""
        return DescribeMapper(replace(self.captioner, workers=1), self.regions, self.speech)


def _in_whole(description: Description, size: tuple[int, int]) -> Description:
    """The description of a reduced image as that of the whole one, of this width and height."""
    if size == (description.width, description.height):
        return description
    factors = size[0] / description.width, size[1] / description.height
    regions = tuple(replace(region, box=region.box.scaled(*factors)) for region in description.regions)
    return replace(description, regions=regions, width=size[0], height=size[1])


def page_of(lines: Path, folder: Path, out: Path) -> int:
    """Write one HTML file from a file of descriptions; returns the number of images."""
    from phrasebox.show.description import descriptions_page

    found = ((folder / line["image"], Description.from_json(line)) for line in read_lines(lines))
    return descriptions_page(found, out)


def read_lines(out: Path, mend: bool = False) -> Iterator[dict[str, Any]]:
    """The descriptions in a file of JSON lines; none if there is no file.

    Parameters
    ----------
    mend : bool
        Remove an incomplete last line from the file.

    Raises
    ------
    DataError
        If a line is not a description.
    """
    if not out.exists():
        return
    with out.open("r+b" if mend else "rb") as file:
        whole = file.read()
        kept = whole[: whole.rfind(b"\n") + 1]
        if mend and len(kept) < len(whole):
            file.truncate(len(kept))
    for number, line in enumerate(kept.splitlines(), start=1):
        try:
            found = json.loads(line)
            Description.from_json(found)
        except (ValueError, KeyError, TypeError, DataError) as error:
            raise DataError(f"{out}, line {number}, is not a description; give another file to write") from error
        yield found

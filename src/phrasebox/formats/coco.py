"""COCO JSON: captions, and the boxes of detections as the user's own regions; also with captions and spans (MDETR)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from phrasebox.formats._assembling import RawCaption, RawPhrase, about_box, assemble
from phrasebox.formats._disk_grouping import GroupedOnDisk
from phrasebox.formats._json_stream import arrays
from phrasebox.formats._reading import files_like, images_folder, only_file, split_in_name
from phrasebox.formats._writing import JsonArray
from phrasebox.io.atomic import replacing_text
from phrasebox.types import Example, GroundedImage, Skipped

LAYOUT = '*.json with "images" (file_name, id) and "annotations" (image_id and caption or bbox), as COCO has them'


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(_files(source))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped]:
    """Read captions and boxes; annotations of an image may be anywhere in the file, and wait on disk, not in memory.

    Every ``bbox`` (absolute ``xywh``) is one of the user's own regions; with a ``caption`` beside it, that is a caption
    of the image too, which is about this box. Where the image entries carry captions (MDETR, GoldG), boxes belong
    to the phrases at ``tokens_positive``, and are no regions of the user. Entries of one ``file_name`` are one image.
    The split is taken from the file's name (``captions_val2017.json``), else it is ``train``.

    Parameters
    ----------
    source : Path
        The JSON file, or a folder with one.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.

    Raises
    ------
    DataError
        If the file is empty, not valid JSON (with line and column), or lacks ``images`` or ``annotations``.
    """
    file = only_file(source, _files(source), LAYOUT)
    folder = images_folder(images, file.parent)
    split = split_in_name(file.name) or "train"
    with GroupedOnDisk() as by_id, GroupedOnDisk() as by_name:
        yield from _gather(file, by_id)
        for image_id, entries in by_id:
            named = [entry for kind, entry in entries if kind == "images"]
            annotations = [entry for kind, entry in entries if kind == "annotations"]
            if len(named) == 1:
                by_name.add(named[0]["file_name"], (named[0], annotations))
            else:
                which = f"{len(named)} images have this id" if named else "no image has this id"
                yield Skipped(f"image_id {image_id}", f"{which}; {len(annotations)} annotations are left out")
        for key, parts in by_name:
            captions = [caption for image, annotations in parts for caption in _captions(image, annotations)]
            boxes = [
                entry["bbox"]
                for image, annotations in parts
                if not isinstance(image.get("caption"), str)
                for entry in annotations
                if "bbox" in entry
            ]
            size = parts[0][0].get("width"), parts[0][0].get("height")
            yield from assemble(key, folder, captions, split, "xywh", size, boxes)


def _gather(file: Path, by_id: GroupedOnDisk) -> Iterator[Skipped]:
    """Put all entries under the id of their image, with what they are and only what is read of them."""
    wanted = {
        "images": ("id", "file_name", "width", "height", "caption"),
        "annotations": ("image_id", "caption", "bbox", "tokens_positive"),
    }
    for number, (kind, entry) in enumerate(arrays(file, tuple(wanted))):
        image_id = entry.get(wanted[kind][0]) if isinstance(entry, dict) else None
        if not isinstance(image_id, int | str):
            yield Skipped(f"{file.name}: entry {number}, in {kind}", f"it has no {wanted[kind][0]}")
        elif kind == "images" and not isinstance(entry.get("file_name"), str):
            yield Skipped(f"image {image_id}", "it has no file_name")
        else:
            by_id.add(str(image_id), (kind, {name: entry[name] for name in wanted[kind][1:] if name in entry}))


def _captions(image: dict[str, Any], annotations: Sequence[dict[str, Any]]) -> Iterator[RawCaption]:
    if isinstance(image.get("caption"), str):
        phrases = [RawPhrase(None, entry.get("tokens_positive"), [entry.get("bbox")]) for entry in annotations]
        yield RawCaption(image["caption"], phrases)
        return
    for entry in annotations:
        if "caption" in entry and "bbox" in entry:
            yield about_box(entry["caption"], entry["bbox"])
        elif "caption" in entry:
            yield RawCaption(entry["caption"])


@contextmanager
def writing(path: Path, finish: Callable[[TextIO], object], begin: str = "") -> Iterator[tuple[JsonArray, JsonArray]]:
    """The arrays ``images`` and ``annotations`` of a new COCO file, to be filled in any order.

    Annotations wait in a temporary file beside ``path``, so memory does not grow with the data.

    Parameters
    ----------
    finish : callable
        Writes what follows the last annotation.
    begin : str
        Members of the file before ``images``.
    """
    with (
        replacing_text(path) as file,
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n", dir=path.parent) as spool,
    ):
        file.write(f'{{{begin}"images": [')
        yield JsonArray(file), JsonArray(spool)
        file.write('\n], "annotations": [')
        spool.seek(0)
        shutil.copyfileobj(spool, file)
        finish(file)


def image_entry(image_id: int, record: GroundedImage) -> dict[str, Any]:
    """The entry of an image; ``file_name`` is its key, so it is relative to the images folder."""
    return {"id": image_id, "file_name": record.key, "width": record.width, "height": record.height}


def _files(source: Path) -> list[Path]:
    return files_like(source, "*.json", (".json",), _looks_right)


def _looks_right(start: bytes) -> bool:
    return (b'"images"' in start and b'"file_name"' in start) or (b'"annotations"' in start and b'"image_id"' in start)

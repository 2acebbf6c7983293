"""Visual Genome region descriptions: boxes with phrases, one list an image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from phrasebox.formats._assembling import about_box, as_list, assemble
from phrasebox.formats._disk_grouping import NumberedNames
from phrasebox.formats._json_stream import list_elements
from phrasebox.formats._names import PictureNames
from phrasebox.formats._reading import files_like, images_folder, only_file, split_in_name
from phrasebox.formats._writing import FittedRecords, JsonArray, Written, xywh
from phrasebox.io.atomic import replacing_text
from phrasebox.types import Example, GroundedImage, Remark, Skipped

LAYOUT = '*.json, a list of images with "regions" and their "phrase" (Visual Genome region descriptions)'
COORDINATES = "x, y, width, height in pixels"
PICTURES = "named"
_FIRST_OWN_ID = 1_000_000_000  # beyond the ids of Visual Genome
_FOLDERS = ("VG_100K", "VG_100K_2")  # the pictures come in two parts


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one."""
    return bool(_files(source))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read region descriptions, image by image: every phrase is a caption of the image that is about its box.

    The key is the entry's ``file_name``, else ``<id>.jpg``, or ``VG_100K/<id>.jpg`` or ``VG_100K_2/<id>.jpg`` where the
    images folder has that. The split is taken from the file's name, else it is ``train``.

    Parameters
    ----------
    source : Path
        The JSON file, or a folder with one.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, else the file's folder.

    Raises
    ------
    DataError
        If the file is empty, not valid JSON (with line and column), or holds no list.
    """
    file = only_file(source, _files(source), LAYOUT)
    names = _names(images, file.parent)
    split = split_in_name(file.name) or "train"
    with NumberedNames() as seen:
        for number, entry in enumerate(list_elements(file)):
            name = _name(entry)
            if name is None:
                yield Skipped(f"{file.name}: entry {number}", "the image has no id")
            elif isinstance(picture := names.seek(name), Skipped):
                yield picture
            elif not seen.new(picture.key):
                yield Skipped(picture.key, "the image is listed twice; the first entry is kept")
            else:
                regions = [region for region in as_list(entry.get("regions")) if isinstance(region, dict)]
                captions = [
                    about_box(region.get("phrase"), [region.get(name) for name in ("x", "y", "width", "height")])
                    for region in regions
                ]
                size = entry.get("width"), entry.get("height")
                yield from assemble(picture, captions, split, "xywh", size)
    yield from names.remarks()


def _names(images: Path | None, beside: Path) -> PictureNames:
    folder = images_folder(images, beside)
    return PictureNames(images, beside, [folder / part for part in _FOLDERS])


def _name(entry: object) -> str | None:
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("file_name"), str):
        return entry["file_name"]
    image_id = entry.get("id", entry.get("image_id"))
    return f"{image_id}.jpg" if isinstance(image_id, int) else None


def _files(source: Path) -> list[Path]:
    return files_like(source, "*.json", (".json",), _looks_right)


def _looks_right(start: bytes) -> bool:
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[" and b'"regions"' in start and b'"phrase"' in start


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write one JSON list: a region for every phrase and box; captions have no place in it, pictures are not copied.

    The ``id`` of an image named as Visual Genome does, ``<id>.jpg``, is that; others are numbered. ``file_name``, the
    image's key, and ``width`` and ``height`` are more than Visual Genome states. Boxes are absolute ``xywh`` pixels,
    to 1/100.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    fitted = FittedRecords(records)
    own_ids, region_ids = count(_FIRST_OWN_ID), count(1)
    with replacing_text(path) as file:
        file.write("[")
        entries = JsonArray(file)
        for record in fitted:
            entries.add(_entry(record, own_ids, region_ids))
        file.write("\n]\n")
    return fitted.report()


def _entry(record: GroundedImage, own_ids: Iterator[int], region_ids: Iterator[int]) -> dict[str, Any]:
    digits = record.key.removesuffix(".jpg")
    named = digits.isascii() and digits.isdigit() and record.key == f"{int(digits[:9])}.jpg"
    image_id = int(digits) if named else next(own_ids)
    regions = []
    for caption in record.captions:
        for phrase in caption.phrases:
            place = dict(zip(("x", "y", "width", "height"), xywh(phrase.box), strict=True))
            region = {"region_id": next(region_ids), "image_id": image_id, "phrase": phrase.text, **place}
            regions.append(region)
    return {
        "id": image_id,
        "file_name": record.key,
        "width": record.width,
        "height": record.height,
        "regions": regions,
    }

"""COCO JSON: captions, and the boxes of detections as the user's own regions; also with captions and spans (MDETR)."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote

from phrasebox.formats._assembling import RawCaption, RawPhrase, about_box, assemble, sides
from phrasebox.formats._disk_grouping import GroupedOnDisk
from phrasebox.formats._json_stream import arrays
from phrasebox.formats._names import Picture, PictureNames
from phrasebox.formats._reading import files_like, only_file, split_in_name, split_named
from phrasebox.formats._writing import JsonArray
from phrasebox.io.atomic import replacing_text
from phrasebox.types import Example, GroundedImage, Remark, Skipped

LAYOUT = '*.json with "images" (id, file_name or coco_url) and "annotations" (image_id, caption or bbox) (COCO)'
_ROBOFLOW = "_annotations.coco.json"
_ADDRESSES = "coco_url", "flickr_url"


def recognises(source: Path) -> bool:
    """Whether ``source`` is such a file, or a folder that holds one, or a data set with some in its folders."""
    return bool(_files(source))


def read(source: Path, images: Path | None = None) -> Iterator[Example | Skipped | Remark]:
    """Read captions and boxes; annotations of an image may be anywhere in the file, and wait on disk, not in memory.

    Every ``bbox`` (absolute ``xywh``) is one of the user's own regions; with a ``caption`` beside it, that is a caption
    of the image too, which is about this box. Where the image entries carry captions (MDETR, GoldG), boxes belong
    to the phrases at ``tokens_positive``, and are no regions of the user; where they carry a noun phrase (SA-Co), that
    is a caption, if it has boxes. Entries of one ``file_name`` are one image; without one, `file_names` tells it.
    The split is taken from the file's name (``captions_val2017.json``), else from that of its folder, else it is
    ``train``.

    Parameters
    ----------
    source : Path
        The JSON file, or a folder with one; or the folder of a data set: with ``annotations/`` beside ``val2017/``
        (the files with captions are read, else those with boxes), or with ``_annotations.coco.json`` in ``train/``,
        ``valid/`` and ``test/`` (Roboflow). Keys are then paths from that folder.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the file, the file's folder, or the folder beside it
        or above it that the file's name ends with (``val2017``).

    Raises
    ------
    DataError
        If the file is empty, not valid JSON (with line and column), or lacks ``images`` or ``annotations``.
    """
    files = _files(source)
    chosen = _chosen(files)
    if not chosen:
        chosen = [only_file(source, files, LAYOUT)]
    if others := [file.name for file in files if file not in chosen]:
        yield Remark(f"not read: {', '.join(others)[:200]}; import a file by itself to add its boxes or captions")
    deep = source.is_dir() and any(file.parent != source for file in chosen)
    for file in chosen:
        yield from _read(file, images, source if deep else None)


def _read(file: Path, images: Path | None, root: Path | None) -> Iterator[Example | Skipped | Remark]:
    split = split_in_name(file.name) or (root and split_named(file.parent.name)) or "train"
    ending = file.stem.rpartition("_")[2]
    above = [file.parent.parent / "images", file.parent.parent] if file.parent.name == "annotations" else []
    more = [folder / name for folder in (file.parent, *above) for name in (ending, "images", "")]
    names = PictureNames(images, file.parent, [folder for folder in more if above or folder.name == ending], root)
    with GroupedOnDisk() as by_id, GroupedOnDisk() as by_name:
        yield from _gather(file, by_id)
        for image_id, entries in by_id:
            named = [entry for kind, entry in entries if kind == "images"]
            annotations = [entry for kind, entry in entries if kind == "annotations"]
            if len(named) != 1:
                which = f"{len(named)} images have this id" if named else "no image has this id"
                reason = f"{which}; {len(annotations)} annotations are left out"
                yield Skipped(f"image_id {image_id}", reason, "picture" if named else "row", max(len(named), 1))
                continue
            named[0]["file_name"] = _there(names, named[0]["file_name"])
            if isinstance(picture := names.seek(named[0]["file_name"]), Skipped):
                yield picture
            elif isinstance(named[0].get("text_input"), str) and annotations and sides(named[0]) is None:
                reason = "the boxes of its text_input are shares, and it has no width and height"
                yield Skipped(picture.key, reason, "row", image=picture.path)
            else:
                by_name.add(picture.key, (named[0], annotations))
        for _, parts in by_name:
            captions = [caption for image, annotations in parts for caption in _captions(image, annotations)]
            boxes = [
                entry["bbox"]
                for image, annotations in parts
                if not any(isinstance(image.get(name), str) for name in ("caption", "text_input"))
                for entry in annotations
                if "bbox" in entry
            ]
            size = parts[0][0].get("width"), parts[0][0].get("height")
            yield from assemble(names.find(parts[0][0]["file_name"]), captions, split, "xywh", size, boxes)
    yield from names.remarks()


def _gather(file: Path, by_id: GroupedOnDisk) -> Iterator[Skipped]:
    """Put all entries under the id of their image, with what they are and only what is read of them."""
    wanted = {
        "images": ("id", "file_name", "width", "height", "caption", "text_input"),
        "annotations": ("image_id", "caption", "bbox", "tokens_positive"),
    }
    for number, (kind, entry) in enumerate(arrays(file, tuple(wanted))):
        image_id = entry.get(wanted[kind][0]) if isinstance(entry, dict) else None
        if isinstance(image_id, float) and image_id.is_integer():
            image_id = int(image_id)
        if not isinstance(image_id, int | str):
            which = "picture" if kind == "images" else "row"
            yield Skipped(f"{file.name}: entry {number}, in {kind}", f"it has no {wanted[kind][0]}", which)
        elif kind == "images" and not file_names(entry):
            yield Skipped(f"image {image_id}", "it has no file_name")
        else:
            told = {name: entry[name] for name in wanted[kind][1:] if name in entry}
            by_id.add(str(image_id), (kind, told | {"file_name": file_names(entry)} if kind == "images" else told))


def file_names(image: Mapping[str, Any]) -> Sequence[str]:
    """The ``file_name`` of an image entry, else those that its address tells, without and with a folder; none if none.

    Examples
    --------
    >>> file_names({"coco_url": "http://images.cocodataset.org/train2017/000000391895.jpg"})  # as LVIS has them
    ('000000391895.jpg', 'train2017/000000391895.jpg')
    """
    if isinstance(image.get("file_name"), str):
        return (image["file_name"],)
    for address in map(image.get, _ADDRESSES):
        parts = unquote(re.split("[?#]", address)[0]).split("/") if isinstance(address, str) else [""]
        if parts[-1]:
            return parts[-1], "/".join(parts[-2:])
    return ()


def _there(names: PictureNames, told: Sequence[str]) -> str:
    """The first of the names that a file has, else the first."""
    found = ((name, names.seek(name)) for name in told)
    return next((name for name, one in found if isinstance(one, Picture) and not one.sought), told[0])


def _captions(image: dict[str, Any], annotations: Sequence[dict[str, Any]]) -> Iterator[RawCaption]:
    if isinstance(image.get("caption"), str):
        phrases = [RawPhrase(None, entry.get("tokens_positive"), [entry.get("bbox")]) for entry in annotations]
        yield RawCaption(image["caption"], phrases)
        return
    if isinstance(image.get("text_input"), str):
        size = sides(image)
        if size and (boxes := [_pixels(entry["bbox"], size) for entry in annotations if "bbox" in entry]):
            yield about_box(image["text_input"], *boxes)
        return
    for entry in annotations:
        if "caption" in entry and "bbox" in entry:
            yield about_box(entry["caption"], entry["bbox"])
        elif "caption" in entry:
            yield RawCaption(entry["caption"])


def _pixels(shares: Any, size: tuple[float, float]) -> Any:
    """A box of shares of an image of this size, in pixels; as it is, to be refused, if it is no box."""
    try:
        return [float(share) * side for share, side in zip(shares, size * 2, strict=True)]
    except (OverflowError, TypeError, ValueError):
        return shares


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
    files = files_like(source, "*.json", (".json",), _looks_right)
    if files or not source.is_dir():
        return files
    places = ("annotations/*.json", f"*/{_ROBOFLOW}", f"*/*/{_ROBOFLOW}", "*/*annotations*.json", "*/*captions*.json")
    return next((found for place in places if (found := files_like(source, place, (".json",), _looks_right))), [])


def _chosen(files: Sequence[Path]) -> list[Path]:
    """The files that are read of several: those of captions, else of boxes, one a split; none if that is unclear."""
    kinds = (
        [file for file in files if file.name.lower() == _ROBOFLOW],
        [file for file in files if "caption" in file.name.lower()],
        [file for file in files if file.name.lower().startswith("instances")],
        list(files),
    )
    for own in kinds:
        splits = [(file.parent, split_in_name(file.name), file.stem.rpartition("_")[2]) for file in own]
        if own and (
            len(own) == 1
            or (
                len(set(splits)) == len(own)
                and all(s or f.name.lower() == _ROBOFLOW for f, (_, s, _) in zip(own, splits, strict=True))
            )
        ):
            return own
    return []


def _looks_right(start: bytes) -> bool:
    named = any(f'"{name}"'.encode() in start for name in ("file_name", *_ADDRESSES))
    return (b'"images"' in start and named) or (b'"annotations"' in start and b'"image_id"' in start)

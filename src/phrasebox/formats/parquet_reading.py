"""Parquet files of image-captions as they are on the Hugging Face hub, and of the user's own boxes and vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from phrasebox.errors import DataError
from phrasebox.formats.assembling import assemble
from phrasebox.formats.gathering import Gathered, Numbered
from phrasebox.formats.hub_rows import TEXTS, objects_of, row_captions
from phrasebox.formats.lines import head
from phrasebox.formats.pictures import LARGEST, needs_folder, unpack
from phrasebox.formats.reading import chosen_split, images_folder, is_picture, split_in_name
from phrasebox.types import Example, Skipped

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

LAYOUT = "*.parquet with a column image and text (or caption), or boxes and vectors of your own"
_IMAGE = ("image", "file_name", "image_path", "filename", "path", "img")
_OTHERS = (*TEXTS, "objects", "split", "width", "height", "boxes", "vectors")
_BATCH = 64
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif"}


def recognises(source: Path) -> bool:
    """Whether ``source`` is a Parquet file, or a folder with some in it or in its folder ``data``."""
    return any(head(file).startswith(b"PAR1") for file in _files(source)[:1])


def read(source: Path, images: Path | None = None, unpack_to: Path | None = None) -> Iterator[Example | Skipped]:
    """Read rows of pictures, embedded or named, with their captions, phrases, boxes and vectors.

    Rows of one picture are one image; they may stand anywhere, and wait on disk, not in memory. The key is the
    picture's path; another picture of the same path gets a part of its hash behind the name. In ``objects``, boxes are
    COCO's ``xywh``; boxes with a ``phrase`` or ``span`` are ground truth, others the user's own regions. With a column
    ``boxes`` ((N, 4) ``xyxy`` pixels of the upright image) every row is an image with its own regions, and ``vectors``
    ((N, D)) are theirs. The split is the column ``split``, else it is told by the file's name, else it is ``train``.

    Parameters
    ----------
    source : Path
        A file, or a folder with files in it or in its folder ``data``.
    images : Path, optional
        Folder of the pictures that are named, not embedded; by default ``images/`` beside the file, else its folder.
    unpack_to : Path, optional
        Folder for embedded pictures.

    Raises
    ------
    DataError
        If there is no such file, it cannot be read, or it has no column of images.
    """
    files = _files(source)
    if not files:
        raise DataError(f"{source}: no {LAYOUT}")
    with Gathered() as gathered, Numbered() as seen:
        for file in files:
            folder = images_folder(images, file.parent)
            for number, row in _rows(file):
                place = f"{file.name}: row {number}"
                row["split"] = row.get("split") or split_in_name(file.name)
                try:
                    key, picture = _picture(row.pop("image"), f"{file.stem}-{number:09d}", source, folder, unpack_to)
                    own = "boxes" in row
                    if own and not seen.new(key):
                        raise DataError(f"the image {key} has boxes already; the first row is kept")
                except DataError as error:
                    yield Skipped(place, str(error))
                    continue
                if own:
                    yield from _own(key, picture, row)
                else:
                    gathered.add(key, (str(picture), row))
        for key, rows in gathered:
            yield from _example(key, rows)


def _example(key: str, rows: list[tuple[str, dict[str, Any]]]) -> Iterator[Example | Skipped]:
    picture, first = rows[0]
    captions = [caption for _, row in rows for caption in row_captions(row)]
    boxes = [box for _, row in rows for box in objects_of(row).boxes]
    try:
        split = chosen_split(first["split"], None)
    except DataError as error:
        yield Skipped(key, str(error))
        return
    size = first.get("width"), first.get("height")
    yield from assemble(key, Path(), captions, split, "xywh", size, boxes, Path(picture))


def _own(key: str, picture: Path, row: dict[str, Any]) -> Iterator[Example | Skipped]:
    vectors = row.get("vectors")
    if isinstance(vectors, str):
        yield Skipped(key, vectors)
        return
    try:
        split = chosen_split(row["split"], None)
    except DataError as error:
        yield Skipped(key, str(error))
        return
    yield from assemble(key, Path(), row_captions(row), split, boxes=row["boxes"], image=picture, vectors=vectors)


def _picture(value: object, number: str, source: Path, folder: Path, unpack_to: Path | None) -> tuple[str, Path]:
    """Key and file of a row's picture, which is written to ``unpack_to`` if it is embedded."""
    data, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
    if isinstance(data, str):
        data, path = None, data
    if path is not None and not isinstance(path, str):
        raise DataError("the image's path is no text")
    if data is None and not path:
        raise DataError("the row has no image")
    if data is None:
        Example(path or "", folder)  # refuses what leaves its folder
        return path or "", folder / (path or "")
    into = needs_folder(unpack_to, source)
    if not isinstance(data, bytes) or len(data) > LARGEST:
        raise DataError(f"the image is no file of at most {LARGEST} bytes")
    key = path or number
    if not is_picture(key):
        key += _suffix(data)
    there = into / key
    if Example(key, there) and there.is_file() and there.read_bytes() != data:
        name = PurePosixPath(key)
        key = name.with_name(f"{name.stem}-{hashlib.sha256(data).hexdigest()[:12]}{name.suffix}").as_posix()
    return key, unpack(data, into, key)


def _suffix(data: bytes) -> str:
    try:
        with Image.open(BytesIO(data)) as image:
            return _SUFFIXES[image.format or ""]
    except (OSError, KeyError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise DataError("the bytes are no image of a known kind") from None


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their number; ``vectors`` are an array, or the reason why they are none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            names = parquet.schema_arrow.names
            image = next((name for name in _IMAGE if name in names), None)
            if image is None:
                raise DataError(f"{file}: no column image among {', '.join(names)[:200]}; expected {LAYOUT}")
            columns = [image, *(name for name in _OTHERS if name in names and name != image)]
            _refuse_giants(parquet, file, columns)
            number = 0
            for batch in parquet.iter_batches(_BATCH, columns=columns):
                plain = batch.select([name for name in batch.schema.names if name != "vectors"]).to_pylist()
                for i, row in enumerate(plain):
                    row["image"] = row.pop(image)
                    if "vectors" in columns:
                        row["vectors"] = _array(batch["vectors"][i])
                    yield number, row
                    number += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{file}: not a Parquet file that can be read: {reason}") from None


def _refuse_giants(parquet: pq.ParquetFile, file: Path, columns: list[str]) -> None:
    """Arrow would hold a whole value in memory, however large."""
    for number in range(parquet.metadata.num_row_groups):
        group = parquet.metadata.row_group(number)
        for i in range(group.num_columns):
            column = group.column(i)
            if column.path_in_schema.split(".")[0] in columns:
                mean = column.total_uncompressed_size / max(group.num_rows, 1)
                if mean > LARGEST:
                    raise DataError(
                        f"{file}: {column.path_in_schema} has {mean:.0f} bytes a row, more than {LARGEST}; "
                        "write smaller values"
                    )


def _array(value: pa.Scalar) -> np.ndarray | str | None:
    """(N, D) of a list of lists."""
    if not value.is_valid:
        return None
    inner = value.values  # type: ignore[attr-defined]
    try:
        widths = {len(one) if one.is_valid else -1 for one in inner}
        if len(widths) != 1:
            return "its vectors are not all of one length" if widths else "it has no vectors"
        return inner.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(inner), -1)
    except (AttributeError, TypeError, ValueError):
        return "its vectors are no list of lists of numbers"


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source] if source.suffix.lower() == ".parquet" else []
    return sorted(source.glob("*.parquet")) or sorted(source.glob("data/*.parquet"))

"""Parquet files of the Hugging Face hub: pictures with captions and phrases, or the user's boxes and vectors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from PIL import Image

from phrasebox.errors import DataError
from phrasebox.formats._assembling import RawCaption, assemble
from phrasebox.formats._columns import Columns, captions_of, choose, listed
from phrasebox.formats._disk_grouping import GroupedOnDisk, NumberedNames
from phrasebox.formats._hub_rows import objects_of, row_objects
from phrasebox.formats._lines import head
from phrasebox.formats._names import Picture, PictureNames
from phrasebox.formats._parquet_rows import BATCH, column_names, reading, refuse_giants, vectors_of
from phrasebox.formats._pictures import LARGEST, needs_folder, unpack
from phrasebox.formats._reading import chosen_split, is_picture, split_in_name
from phrasebox.formats._writing import FittedRecords, Written
from phrasebox.io.atomic import replacing
from phrasebox.types import Example, GroundedCaption, GroundedImage, Remark, Skipped

if TYPE_CHECKING:
    import pyarrow as pa

LAYOUT = "*.parquet with a column image and text (or caption), or boxes and vectors of your own"
COORDINATES = "xywh pixels, left top corner and size"
PICTURES = "copied"
_EMBEDDED = ("jpg", "jpeg", "png", "webp", "image_bytes", "image_data")  # img2dataset's column of pictures, and others
_ADDRESSES = ("url", "image_url", "img_url")
_OTHERS = ("objects", "split", "width", "height", "boxes", "vectors")
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif"}
_GROUP_ROWS = 1000
_GROUP_BYTES = 128 << 20  # of pictures held, counted for every row, before a row group is written


def recognises(source: Path, columns: str | None = None) -> bool:
    """Whether ``source`` is a Parquet file with pictures, or a folder with some in it or in its folder ``data``."""
    return any(head(file).startswith(b"PAR1") and _has_pictures(file, columns) for file in _files(source)[:1])


def read(
    source: Path, images: Path | None = None, unpack_to: Path | None = None, columns: str | None = None
) -> Iterator[Example | Skipped | Remark]:
    """Read rows of pictures, embedded or named, with their captions, phrases, boxes and vectors.

    Rows of one picture are one image; they may be anywhere, and wait on disk, not in memory. The key is the
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
    columns : str, optional
        Names of the columns of pictures and of captions, with commas between; a single name is that of the captions.

    Raises
    ------
    DataError
        If there is no such file, it cannot be read, or it has no column of images, or none of captions or boxes.
    """
    files = _files(source)
    if not files:
        raise DataError(f"{source}: no {LAYOUT}")
    with GroupedOnDisk() as gathered, NumberedNames() as seen:
        for file in files:
            names = PictureNames(images, file.parent)
            for number, row in _rows(file, columns):
                place = f"{file.name}: row {number}"
                row["split"] = row.get("split") or split_in_name(file.name)
                try:
                    picture = _picture(row.pop("image"), f"{file.stem}-{number:09d}", source, names, unpack_to)
                    own = "boxes" in row
                    if own and not seen.new(picture.key):
                        raise DataError(f"the image {picture.key} has boxes already; the first row is kept")
                except DataError as error:
                    yield Skipped(place, str(error))
                    continue
                if own:
                    yield from _own(picture, row)
                else:
                    sought = [str(folder) for folder in picture.sought]
                    gathered.add(picture.key, (str(picture.path), sought, row))
            yield from names.remarks()
        for key, rows in gathered:
            yield from _example(key, rows)


def _example(key: str, rows: list[tuple[str, list[str], dict[str, Any]]]) -> Iterator[Example | Skipped | Remark]:
    path, sought, first = rows[0]
    captions = [caption for *_, row in rows for caption in _captions(row)]
    boxes = [box for *_, row in rows for box in objects_of(row).boxes]
    try:
        split = chosen_split(first["split"], None)
    except DataError as error:
        yield Skipped(key, str(error))
        return
    size = first.get("width"), first.get("height")
    picture = Picture(key, Path(path), tuple(map(Path, sought)))
    yield from assemble(picture, captions, split, "xywh", size, boxes)


def _captions(row: Mapping[str, Any]) -> Iterator[RawCaption]:
    """The captions of a row; its phrases belong to the first one."""
    phrases = objects_of(row).phrases
    for number, text in enumerate(row["captions"]):
        yield RawCaption(text, phrases if number == 0 else ())


def _own(picture: Picture, row: dict[str, Any]) -> Iterator[Example | Skipped | Remark]:
    vectors = row.get("vectors")
    if isinstance(vectors, str):
        yield Skipped(picture.key, vectors)
        return
    try:
        split = chosen_split(row["split"], None)
    except DataError as error:
        yield Skipped(picture.key, str(error))
        return
    yield from assemble(picture, _captions(row), split, boxes=row["boxes"], vectors=vectors)


def _picture(value: object, number: str, source: Path, names: PictureNames, unpack_to: Path | None) -> Picture:
    """A row's picture, which is written to ``unpack_to`` if it is embedded."""
    data, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
    if isinstance(data, int | float) and not isinstance(data, bool):
        return names.find(data)
    if isinstance(data, str):
        data, path = None, data
    if path is not None and not isinstance(path, str):
        raise DataError("the image's path is not text")
    if data is None and not path:
        raise DataError("the row has no image")
    if data is None:
        return names.find(path)
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
    return Picture(key, unpack(data, into, key))


def _suffix(data: bytes) -> str:
    try:
        with Image.open(BytesIO(data)) as image:
            return _SUFFIXES[image.format or ""]
    except (OSError, KeyError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise DataError("the bytes are no image of a known kind") from None


def _has_pictures(file: Path, columns: str | None) -> bool:
    try:
        return bool(columns) or _columns(column_names(file), None).image not in (None, *_ADDRESSES)
    except DataError:
        return True  # reading it says what is wrong


def _columns(names: list[str], asked: str | None) -> Columns:
    usual = choose(names)
    if usual.image in (None, *_ADDRESSES):
        embedded = next((name for name in names if name.lower() in _EMBEDDED), usual.image)
        usual = Columns(embedded, usual.captions, usual.split)
    if asked is None:
        return usual
    told = choose(names, asked)
    if not told.captions and told.image != usual.image:
        return Columns(usual.image, (told.image or "",), usual.split)
    return told


def _rows(file: Path, asked: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their number; ``vectors`` are an array, or the reason why they are none."""
    import pyarrow.parquet as pq

    with reading(file), pq.ParquetFile(file) as parquet:
        names = parquet.schema_arrow.names
        chosen = _columns(names, asked)
        if chosen.image is None:
            raise DataError(f"{file}: no column image among {listed(names)}; expected {LAYOUT}")
        others = [name for name in _OTHERS if name in names and name != chosen.image]
        if not chosen.captions and not asked and not {"boxes", "objects"} & {*others}:
            raise DataError(
                f"{file}: no captions among its columns {listed(names)}; name theirs: --columns {chosen.image},CAPTION "
                f"(or --columns {chosen.image} for the pictures alone)"
            )
        columns = list(dict.fromkeys((chosen.image, *chosen.captions, *others)))
        refuse_giants(parquet, file, columns)
        number = 0
        for batch in parquet.iter_batches(BATCH, columns=columns):
            plain = batch.select([name for name in batch.schema.names if name != "vectors"]).to_pylist()
            for i, values in enumerate(plain):
                row = {name: values[name] for name in others if name in values}
                row["image"] = values[chosen.image]
                row["captions"] = [raw.text for raw in captions_of(values, chosen.captions)]
                if "vectors" in columns:
                    row["vectors"] = vectors_of(batch["vectors"][i])
                yield number, row
                number += 1


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source] if source.suffix.lower() == ".parquet" else []
    return sorted(source.glob("*.parquet")) or sorted(source.glob("data/*.parquet"))


def write(path: Path, records: Iterable[GroundedImage], embed_images: bool = True) -> Written:
    """Write a Parquet file that ``datasets.load_dataset("parquet", data_files=...)`` opens with decoded pictures.

    Columns: ``image`` {bytes, path}, ``text``, ``width``, ``height``, ``split`` and ``objects``, lists of equal length
    of ``bbox`` (COCO ``xywh``), ``phrase``, ``span``, ``score``, ``confidence`` and ``whole_image``.

    Parameters
    ----------
    embed_images : bool
        Put the picture files into the Parquet file, as they are, under their keys; a picture is stored once for its
        captions in a row group. Otherwise only their paths are written.

    Raises
    ------
    DataError
        If ``path`` is a folder.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema()
    fitted = FittedRecords(records)
    with (
        replacing(path) as part,
        # A dictionary with room for a whole row group keeps the picture of several captions once.
        pq.ParquetWriter(part, schema, dictionary_pagesize_limit=2 * _GROUP_BYTES) as writer,
    ):
        for rows in _groups(fitted, embed_images):
            writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema), row_group_size=len(rows))
    return fitted.report()


def _groups(records: FittedRecords, embed_images: bool) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    held = 0
    for record in records:
        data = None
        if embed_images and record.captions:
            data = records.picture(record, lambda record: _picture_bytes(record.image))
            if data is None:
                continue
        image = {"bytes": data, "path": record.key if embed_images else str(record.image)}
        for caption in record.captions:
            rows.append(_row(record, caption, image))
            held += len(data or b"")  # Arrow holds a copy for every row
            if len(rows) >= _GROUP_ROWS or held >= _GROUP_BYTES:
                yield rows
                rows, held = [], 0
    if rows:
        yield rows


def _row(record: GroundedImage, caption: GroundedCaption, image: dict[str, Any]) -> dict[str, Any]:
    return {
        "image": image,
        "text": caption.text,
        "width": record.width,
        "height": record.height,
        "split": record.split,
        "objects": row_objects(caption.phrases),
    }


def _picture_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read image {path}: {error.strerror}; write without embed_images") from None


def _schema() -> pa.Schema:
    import pyarrow as pa

    objects = {
        "bbox": pa.list_(pa.list_(pa.float64())),
        "phrase": pa.list_(pa.string()),
        "span": pa.list_(pa.list_(pa.int32())),
        "score": pa.list_(pa.float64()),
        "confidence": pa.list_(pa.float64()),
        "whole_image": pa.list_(pa.bool_()),
    }
    columns = {
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "text": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "split": pa.string(),
        "objects": pa.struct(objects),
    }
    features = {name: _feature(kind) for name, kind in columns.items()} | {"image": {"_type": "Image"}}
    # `datasets` takes the types of columns from this entry; without it the image stays a pair of bytes and path.
    about = json.dumps({"info": {"features": features}})
    return pa.schema(list(columns.items()), metadata={"huggingface": about})


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """An Arrow type in the words of ``datasets``; versions 3 to 5 read ``Sequence``."""
    import pyarrow.types as kinds

    if kinds.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if kinds.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "Sequence"}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}

"""Parquet as Hugging Face ``datasets`` reads it: one image-caption a row, pictures inside the file if wanted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phrasebox.errors import DataError
from phrasebox.formats.hub_rows import row_objects
from phrasebox.formats.writing import FittedRecords, Written, replacing
from phrasebox.types import GroundedCaption, GroundedImage

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_ROWS = 1000
_GROUP_BYTES = 128 << 20  # of pictures held, counted for every row, before a row group is written


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
        If ``path`` is a folder, or a picture to embed cannot be read.
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


def _groups(records: Iterable[GroundedImage], embed_images: bool) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    held = 0
    for record in records:
        data = _picture(record.image) if embed_images and record.captions else None
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


def _picture(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read picture {path}: {error.strerror}; write without embed_images") from None


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

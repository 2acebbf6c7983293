"""Columns of the workspace's tables, and conversion between typed values and rows (see also `phrase_rows`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from phrasebox.errors import DataError
from phrasebox.io.paths import place
from phrasebox.types import (
    Box,
    Caption,
    Example,
    PictureFile,
    Regions,
    TruePhrase,
)

_BOX = pa.list_(pa.float32(), 4)
_SIZE = {"width": pa.int32(), "height": pa.int32()}
_TRUE_PHRASE = {
    "text": pa.string(),
    "start": pa.int32(),
    "end": pa.int32(),
    "chain": pa.string(),
    "types": pa.list_(pa.string()),
    "boxes": pa.list_(_BOX),
}
_TRUE_CAPTION = {"text": pa.string(), "phrases": pa.list_(pa.struct(_TRUE_PHRASE))}

IMAGES = pa.schema(
    {
        "key": pa.string(),
        "split": pa.string(),
        "path": pa.string(),
        **_SIZE,
        "captions": pa.list_(pa.string()),
        "given": pa.list_(_BOX),
    }
)
TRUTH = pa.schema({"key": pa.string(), **_SIZE, "captions": pa.list_(pa.struct(_TRUE_CAPTION))})
OWN = pa.schema({"key": pa.string(), "boxes": pa.list_(_BOX), "vectors": pa.list_(pa.list_(pa.float16()))})
PHRASES = pa.schema(
    {
        "id": pa.string(),
        "key": pa.string(),
        "caption": pa.int32(),
        "text": pa.string(),
        "start": pa.int32(),
        "end": pa.int32(),
        **{name: pa.float32() for name in ("x1", "y1", "x2", "y2", "score", "confidence")},
        "whole_image": pa.bool_(),
        "region": pa.int32(),
        "unknown": pa.bool_(),
    }
)
_REVIEWED_PHRASE = {"start": pa.int32(), "end": pa.int32(), "whole_image": pa.bool_(), "boxes": pa.list_(_BOX)}
REVIEWED = pa.schema(
    {"key": pa.string(), "caption": pa.string(), **_SIZE, "phrases": pa.list_(pa.struct(_REVIEWED_PHRASE))}
)
SKIPPED = pa.schema({"key": pa.string(), "stage": pa.string(), "reason": pa.string()})


_FILE = pa.struct({"size": pa.int64(), "modified": pa.int64(), "digest": pa.string()})
SIZES = ("key", "width", "height", "file")
"""Columns of the regions table that tell the size of the image, and the state of its file if that is known."""

OPTIONAL = {"regions": ("closed", "objectness", "file"), "phrases": ("unknown",)}
"""Table -> columns that workspaces of older versions lack; ``closed`` are straddling scores."""


def regions_schema(dim: int) -> pa.Schema:
    """Columns of the regions table for vectors of ``dim`` numbers."""
    vector = pa.list_(pa.float16(), dim)
    return pa.schema(
        {
            "key": pa.string(),
            **_SIZE,
            "boxes": pa.list_(_BOX),
            "scores": pa.list_(pa.float32()),
            "vectors": pa.list_(vector),
            "closed": pa.list_(pa.float32()),
            "objectness": pa.list_(pa.float32()),
            "file": _FILE,
        }
    )


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image of the workspace.

    ``width`` and ``height`` of the upright image are in pixels, 0 if unknown; ``given`` are user boxes;
    ``file`` is the state of the file, where it was looked at.
    """

    key: str
    split: str
    path: Path
    width: int
    height: int
    captions: tuple[str, ...]
    given: tuple[Box, ...]
    file: PictureFile | None = None


def images_to_rows(examples: Sequence[Example], sizes: Sequence[tuple[int, int]]) -> pa.Table:
    """Rows of the images table."""
    rows = [
        {
            "key": example.key,
            "split": example.split,
            "path": example.image.absolute().as_posix(),
            "width": width,
            "height": height,
            "captions": [caption.text for caption in example.captions],
            "given": [tuple(box) for box in example.boxes],
        }
        for example, (width, height) in zip(examples, sizes, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=IMAGES)


def rows_to_images(rows: pa.Table) -> list[ImageRow]:
    """Images from rows of the images table."""
    return [row_to_image(row) for row in rows.to_pylist()]


def row_to_image(row: dict[str, Any]) -> ImageRow:
    """An image from a row of the images table."""
    return ImageRow(
        row["key"],
        row["split"],
        place(row["path"]),
        row["width"],
        row["height"],
        tuple(row["captions"]),
        tuple(Box(*box) for box in row["given"]),
    )


def truth_to_rows(examples: Sequence[Example]) -> pa.Table:
    """Rows of the truth table; examples without phrases are omitted."""

    def phrase_row(phrase: TruePhrase) -> dict[str, Any]:
        return {
            "text": phrase.text,
            "start": phrase.span[0],
            "end": phrase.span[1],
            "chain": phrase.chain,
            "types": phrase.types,
            "boxes": [tuple(box) for box in phrase.boxes],
        }

    rows = [
        {
            "key": example.key,
            "width": example.size[0] if example.size else 0,
            "height": example.size[1] if example.size else 0,
            "captions": [{"text": c.text, "phrases": [phrase_row(p) for p in c.phrases]} for c in example.captions],
        }
        for example in examples
        if any(caption.phrases for caption in example.captions)
    ]
    return pa.Table.from_pylist(rows, schema=TRUTH)


def row_to_example(image: ImageRow, row: dict[str, Any]) -> Example:
    """The example from an image and its row of the truth table."""

    def phrase(row: dict[str, Any]) -> TruePhrase:
        boxes = tuple(Box(*box) for box in row["boxes"])
        return TruePhrase(row["text"], (row["start"], row["end"]), boxes, tuple(row["types"]), row["chain"])

    captions = tuple(Caption(row["text"], tuple(map(phrase, row["phrases"]))) for row in row["captions"])
    size = (row["width"], row["height"]) if row["width"] else None
    return Example(image.key, image.path, captions, image.split, image.given, size)


@dataclass(frozen=True, slots=True, eq=False)
class OwnRegions:
    """User boxes of an image: (N, 4) float32, ``xyxy`` in pixels, with (N, D) float16 vectors or None."""

    boxes: np.ndarray
    vectors: np.ndarray | None


def own_to_rows(examples: Sequence[Example]) -> pa.Table:
    """Rows of the table of user boxes; examples without boxes are omitted."""
    own = [example for example in examples if example.boxes]
    rows = [{"key": example.key, "boxes": [tuple(box) for box in example.boxes]} for example in own]
    vectors = [None if example.vectors is None else example.vectors.astype(np.float16) for example in own]
    # Arrow arrays are built from NumPy arrays; converting millions of Python numbers would take seconds.
    outer = np.cumsum([0, *(0 if one is None else len(one) for one in vectors)], dtype=np.int32)
    widths = [one.shape[1] for one in vectors if one is not None for _ in one]
    inner = np.cumsum([0, *widths], dtype=np.int32)
    flat = [one.ravel() for one in vectors if one is not None] or [np.empty(0, np.float16)]
    nested = pa.ListArray.from_arrays(
        pa.array(outer),
        pa.ListArray.from_arrays(pa.array(inner), pa.array(np.concatenate(flat))),
        mask=pa.array([one is None for one in vectors], pa.bool_()),
    )
    return pa.Table.from_pylist(rows, schema=OWN).set_column(2, OWN.field("vectors"), nested)


def rows_to_own(rows: pa.Table) -> Iterator[tuple[str, OwnRegions]]:
    """Pairs of image key and user boxes, from rows of that table."""
    for row in rows.to_batches():
        for key, boxes, vectors in zip(row["key"].to_pylist(), row["boxes"], row["vectors"], strict=True):
            corners = boxes.values.flatten().to_numpy().reshape(-1, 4)
            own = vectors.values.flatten().to_numpy().reshape(len(corners), -1) if vectors.is_valid else None
            yield key, OwnRegions(corners, own)


def regions_to_rows(regions: Sequence[Regions]) -> pa.Table:
    """Rows of the regions table, converted from NumPy arrays directly.

    Raises
    ------
    DataError
        If a key is empty, or vectors are missing or differ in length.
    """
    vectors = []
    for one in regions:
        if not one.key or one.vectors is None:
            raise DataError(f"regions of {one.key or 'an unnamed image'} need a key and vectors to be stored")
        vectors.append(one.vectors.astype(np.float16, copy=False))
    dim = vectors[0].shape[1]
    if other := next((one for one in regions if one.vectors is not None and one.vectors.shape[1] != dim), None):
        raise DataError(f"vectors of {other.key} have another length than the {dim} of {regions[0].key}")
    ends = np.cumsum([0, *map(len, regions)], dtype=np.int32)

    def lists(parts: list[np.ndarray], width: int) -> pa.Array:
        flat = pa.array(np.concatenate(parts).ravel())
        return pa.ListArray.from_arrays(pa.array(ends), pa.FixedSizeListArray.from_arrays(flat, width))

    return pa.Table.from_arrays(
        [
            pa.array([one.key for one in regions], pa.string()),
            pa.array([one.width for one in regions], pa.int32()),
            pa.array([one.height for one in regions], pa.int32()),
            lists([one.boxes.astype(np.float32, copy=False) for one in regions], 4),
            pa.ListArray.from_arrays(
                pa.array(ends), pa.array(np.concatenate([one.scores for one in regions]), pa.float32())
            ),
            lists(vectors, dim),
            _known([one.straddling for one in regions], ends),
            _known([one.objectness for one in regions], ends),
            pa.array([asdict(one.file) if one.file else None for one in regions], _FILE),
        ],
        schema=regions_schema(dim),
    )


def rows_to_regions(rows: pa.RecordBatch) -> Iterator[Regions]:
    """Regions from rows of the regions table; their arrays are read-only views into ``rows``."""
    ends = np.cumsum([0, *rows["scores"].value_lengths().to_pylist()])
    scores = rows["scores"].flatten().to_numpy()
    boxes = rows["boxes"].flatten().flatten().to_numpy().reshape(-1, 4)
    vectors = rows["vectors"].flatten().flatten().to_numpy().reshape(len(scores), -1)
    keys, widths, heights = (rows[name].to_pylist() for name in ("key", "width", "height"))
    optional = [rows[name] if name in rows.schema.names else None for name in ("closed", "objectness")]
    files = rows["file"].to_pylist() if "file" in rows.schema.names else [None] * len(keys)
    for i, key in enumerate(keys):
        part = slice(ends[i], ends[i + 1])
        known = [own[i].values.to_numpy() if own is not None and own[i].is_valid else None for own in optional]
        file = row_to_file(files[i])
        yield Regions(boxes[part], scores[part], widths[i], heights[i], vectors[part], key, *known, file=file)


def size_and_file(image: ImageRow, sizes: Sequence[dict[str, Any]]) -> tuple[int, int, PictureFile | None]:
    """Width and height of an image, and the state of its file, from its rows of `SIZES`, of which it may have none."""
    if not sizes:
        return image.width, image.height, None
    return sizes[-1]["width"], sizes[-1]["height"], row_to_file(sizes[-1].get("file"))


def row_to_file(row: dict[str, Any] | None) -> PictureFile | None:
    """The state of an image file, from that column of the regions table."""
    return None if row is None else PictureFile(**row)


def _known(scores: Sequence[np.ndarray | None], ends: np.ndarray) -> pa.Array:
    """An optional column of the regions table: a score of each box of each image, null if unknown."""
    counts = np.diff(ends)
    known = [np.zeros(count, np.float32) if own is None else own for own, count in zip(scores, counts, strict=True)]
    values = pa.array(np.concatenate(known), pa.float32())
    return pa.ListArray.from_arrays(pa.array(ends), values, mask=pa.array([own is None for own in scores]))

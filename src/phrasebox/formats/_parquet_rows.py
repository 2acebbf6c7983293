"""Rows of Parquet files, read a few at a time, and what is refused of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phrasebox.errors import DataError
from phrasebox.formats._pictures import LARGEST

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH = 64
"""Number of rows read at a time."""


def plain_rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and values of every row of a table without pictures in it.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    import pyarrow.parquet as pq

    with reading(file), pq.ParquetFile(file) as parquet:
        refuse_giants(parquet, file, parquet.schema_arrow.names)
        batches = parquet.iter_batches(BATCH)
        for number, row in enumerate(row for batch in batches for row in batch.to_pylist()):
            yield f"{file.name}: row {number}", row


def column_names(file: Path) -> list[str]:
    """The columns of a Parquet file.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    import pyarrow.parquet as pq

    with reading(file), pq.ParquetFile(file) as parquet:
        return parquet.schema_arrow.names


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Raise `DataError` where a file turns out to be no valid Parquet."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{file}: not a Parquet file that can be read: {reason}") from None


def refuse_giants(parquet: pq.ParquetFile, file: Path, columns: list[str]) -> None:
    """Reject columns whose values are too large: Arrow reads a whole value into memory."""
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


def vectors_of(value: pa.Scalar) -> np.ndarray | str | None:
    """(N, D) float32 of a list of lists; a reason if they are none; None of a missing value."""
    if not value.is_valid:
        return None
    inner = value.values  # type: ignore[attr-defined]
    try:
        widths = {len(one) if one.is_valid else -1 for one in inner}
        if len(widths) != 1:
            return "its vectors are not all of one length" if widths else "it has no vectors"
        return inner.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(inner), -1)
    except (AttributeError, TypeError, ValueError):
        return "its vectors are not a list of lists of numbers"

"""An export as one zip file, for downloads; nothing is recorded in the workspace."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

from phrasebox.errors import WorkspaceError
from phrasebox.formats import names_pictures, write_target
from phrasebox.stages.export import records_for
from phrasebox.stages.usable_pictures import UsablePictures
from phrasebox.types import GroundedImage
from phrasebox.workspace.workspace import Workspace

_JSON = frozenset({"coco", "coco-detection", "coco-grounding", "coco-results", "karpathy", "sa-co", "visual-genome"})
_LINES = frozenset({"odvg", "ms-swift", "qwen", "qwen-1000"})
_PACKED = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".parquet", ".tar"})  # not compressed again


def archive(
    ws: Workspace,
    out: Path,
    format: str,
    split: str | None = None,
    min_confidence: float = 0.0,
    parts_only: bool = False,
    reviewed: bool = False,
    keys: Collection[str] = (),
) -> None:
    """Write region-phrase pairs in a format of `phrasebox.formats.WRITERS` into a new zip file.

    Parameters and errors as of `phrasebox.stages.export.export`, and:

    Parameters
    ----------
    keys : collection of str
        Only these images, if any are given.
    """
    pictures = UsablePictures(ws, names_pictures(format))
    name = f"{ws.path.absolute().name}-{format}"
    with tempfile.TemporaryDirectory(prefix="phrasebox-") as folder:
        target = Path(folder, name + _suffix(format))
        records = records_for(ws, format, split, min_confidence, parts_only, reviewed, pictures)
        write_target(target, _chosen(records, frozenset(keys)) if keys else records, format)
        files = [target] if target.is_file() else sorted(path for path in target.rglob("*") if path.is_file())
        with zipfile.ZipFile(out, "w") as zipped:
            for file in files:
                packed = file.suffix.lower() in _PACKED
                kind = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
                zipped.write(file, file.relative_to(folder).as_posix(), kind)


def _chosen(records: Iterator[GroundedImage], keys: frozenset[str]) -> Iterator[GroundedImage]:
    found = False
    for record in records:
        if record.key in keys:
            found = True
            yield record
    if not found:
        raise WorkspaceError("none of the chosen images has something to export; choose others")


def _suffix(format: str) -> str:
    """Suffix of a format's file; empty for a format that is a folder."""
    if format in _JSON:
        return ".json"
    return ".jsonl" if format in _LINES else ".parquet" if format == "parquet" else ""

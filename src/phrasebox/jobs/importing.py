"""Outside data -> the workspace's images, captions and ground truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phrasebox.errors import DataError
from phrasebox.formats import read_source
from phrasebox.images import image_size
from phrasebox.pipeline import progress, run
from phrasebox.types import Example, Skipped
from phrasebox.workspace import Workspace

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to."""

    images: int
    captions: int
    truth: int
    skipped: int
    present: int


def import_source(
    ws: Workspace,
    source: Path,
    format: str = "auto",
    images: Path | None = None,
    split_files: Sequence[Path] = (),
    split: str | None = None,
    workers: int = 2,
    quiet: bool = False,
) -> Imported:
    """Add what is not there yet; what cannot be used is left out with its reason in ``ws.skipped("import")``.

    Ground truth of an image that is there already is added to it, so that captions and Entities files of the same
    pictures can be imported one after the other.

    Parameters
    ----------
    split : str, optional
        Put every image into this split, whatever the source says.

    Raises
    ------
    DataError
        If the source holds nothing that could be imported; the message carries the first reason.
    """
    known, with_truth = ws.keys("images"), ws.keys("truth")
    own = ws.path.absolute()
    left_out: list[Skipped] = []
    counts = {"images": 0, "captions": 0, "truth": 0, "present": 0}

    def wanted() -> Iterator[Example]:
        for item in read_source(source, format, images, split_files):
            if isinstance(item, Skipped):
                left_out.append(item)
                continue
            if item.image.absolute().is_relative_to(own):  # a workspace inside the folder of pictures it is made from
                continue
            new_truth = _has_truth(item) and item.key not in with_truth
            if item.key in known and not new_truth:
                counts["present"] += 1
                continue
            yield item if split is None else replace(item, split=split)

    def sink(batch: list[tuple[Example, tuple[int, int]]]) -> None:
        new = [(e, size) for e, size in batch if e.key not in known]
        truth = [e for e, _ in batch if _has_truth(e) and e.key not in with_truth]
        ws.append_images([e for e, _ in new], [size for _, size in new])
        ws.append_truth(truth)
        known.update(e.key for e, _ in new)
        with_truth.update(e.key for e in truth)
        counts["images"] += len(new)
        counts["captions"] += sum(len(e.captions) for e, _ in new)
        counts["truth"] += len(truth)

    with progress(f"import {source.name}", total=None, quiet=quiet) as advance:
        run(
            wanted(),
            lambda batch: batch,
            sink,
            batch=_BATCH,
            prefetch=lambda example: (example, image_size(example.image)),
            skip=left_out.extend,
            workers=workers,
            progress=advance,
        )
    ws.append_skipped(left_out, "import")
    if not (counts["images"] or counts["truth"] or counts["present"]):
        if not left_out:
            raise DataError(f"{source} holds no images; see the README for the formats that can be imported")
        more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
        raise DataError(f"nothing could be imported from {source}: {left_out[0].key}: {left_out[0].reason}{more}")
    return Imported(**counts, skipped=len(left_out))


def _has_truth(example: Example) -> bool:
    return any(caption.phrases for caption in example.captions)

"""Masks of exported phrases, made from the stored regions and the image files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from phrasebox.aligner import Aligner
from phrasebox.errors import DataError, WorkspaceError
from phrasebox.grounding.masks import masks, run_lengths
from phrasebox.io.images import load_image
from phrasebox.regions.straddling import superpixels
from phrasebox.types import GroundedCaption, GroundedImage, Phrase, Regions
from phrasebox.workspace.workspace import Workspace


def with_masks(ws: Workspace, records: Iterable[GroundedImage], aligner: Aligner) -> Iterator[GroundedImage]:
    """The images with a mask beside every box, in COCO's run-length encoding.

    Raises
    ------
    DataError
        If an image cannot be read.
    WorkspaceError
        If an image with phrases has no regions.
    """
    for record in records:
        if not any(caption.phrases for caption in record.captions):
            yield record
            continue
        regions = next((r for batch in ws.regions(keys=[record.key]) for r in batch), None)
        if regions is None:
            raise WorkspaceError(f"{record.key} has no regions to make masks from; run: phrasebox regions {ws.path}")
        parts = superpixels(load_image(record.image))
        captions = (_masked(caption, regions, parts, aligner) for caption in record.captions)
        yield replace(record, captions=tuple(captions))


def _masked(caption: GroundedCaption, regions: Regions, parts: np.ndarray, aligner: Aligner) -> GroundedCaption:
    try:
        heats = aligner.heats(regions, caption.text, [phrase.span for phrase in caption.phrases])
    except DataError:  # a person marked characters that are no words
        return caption
    phrases: list[Phrase] = []
    for phrase, heat in zip(caption.phrases, heats, strict=True):
        pairs = phrase.pairs()
        found = masks(parts, heat, [pair.box for pair in pairs], (regions.width, regions.height))
        phrases += [replace(pair, mask=run_lengths(mask)) for pair, mask in zip(pairs, found, strict=True)]
    return replace(caption, phrases=tuple(phrases))

"""Boxes with category names as ground truth for a workspace's captions; read to measure, never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from phrasebox.evaluate.categories import category_forms, with_category_phrases
from phrasebox.formats.coco_detection import read_boxes
from phrasebox.io.paths import local_file, place
from phrasebox.types import Example
from phrasebox.workspace.workspace import Workspace


def category_examples(
    ws: Workspace, source: Path, split: str | None, told: Callable[[str], object] = lambda line: None
) -> Iterator[Example]:
    """The images of a split that have such boxes, with their captions' words for these boxes as true phrases.

    Parameters
    ----------
    source : Path
        COCO detections.
    split : str or None
        All images if None.
    told : callable
        Is given a line if annotations of the file cannot be used.

    Raises
    ------
    DataError
        If the file is none, or names no image of the workspace.
    """
    with local_file(place(source)) as here:
        found = read_boxes(here, ws.keys("images"))
    if found.left_out:
        why = "without a box, or of an unknown image or category"
        told(f"{source.name}: {found.left_out} annotations are left out: {why}")
    forms = category_forms(found.categories)
    for batch in ws.images(split):
        for row in batch:
            if of_image := found.images.get(row.key):
                captions = tuple(with_category_phrases(text, of_image.boxes, forms) for text in row.captions)
                if any(caption.phrases for caption in captions):
                    yield Example(row.key, row.path, captions, row.split, size=of_image.size)

"""phrasebox search: find images by sentence, boxes by phrase, images and sentences by image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.shared import PICTURES, check_target, session, sleep_when_idle
from phrasebox.errors import SettingsError

if TYPE_CHECKING:
    from phrasebox.search import Hit, SentenceHit, Similar
    from phrasebox.show import Found
    from phrasebox.workspace.workspace import Workspace

_PAGES = (".html", ".htm")


def search(
    ws: WorkspacePath,
    sentence: str | None = None,
    /,
    *,
    like: Path | None = None,
    region: bool = False,
    k: Annotated[int, Parameter(alias="-k")] = 10,
    min_score: float | None = None,
    backend: str = "exact",
    url: str | None = None,
    model: str | None = None,
    prior: float | None = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    common: Common = COMMON,
) -> None:
    """Find the images of a workspace that match a sentence, and the box that each phrase matched.

    Parameters
    ----------
    sentence
        Sentence or phrase to search for.
    like
        Image file; find similar images and matching sentences instead.
    region
        Find single boxes that match a phrase.
    k
        Number of results.
    min_score
        Leave out results with a lower score. By default they are shown, below a line where matches are as weak as those
        of images that have nothing to do with the query.
    backend
        exact scores all images; lancedb and qdrant score candidates from an index, made by phrasebox index.
    url
        URL of a Qdrant server, with --backend qdrant.
    model
        Folder or hub id of an aligner; or names or an image-text model (open_clip:ID, hf:ID), to do without captions.
        Default: the workspace's own, or the built-in one.
    prior
        Weight of the prior (class names, or an image-text backbone) beside the learned scores, 0 for none. Default: the
        model's own.
    out
        Draw the results into this file (html, png, jpg or webp).
    """
    sleep_when_idle()
    from phrasebox.aligner.known_words import unknown_note
    from phrasebox.search import Searcher

    if (sentence is None) == (like is None):
        raise SettingsError("give either a sentence or an image with --like")
    if like is not None and region:
        raise SettingsError("--region searches for a phrase; give one instead of --like")
    if k < 1:
        raise SettingsError(f"k must be at least 1, got {k}")
    if out is not None:
        check_target(out)
        if out.suffix.lower() not in (*PICTURES, *_PAGES):
            raise SettingsError(f"{out}: the name must end in .html, .png, .jpg or .webp")
    with session(ws, common, writes=False) as opened:
        searcher = Searcher.open(opened.workspace, opened.aligner(model, prior), backend, url, opened.silent)
        if like is not None:
            found = searcher.like(like, k, min_score)
            images = found.images
        else:
            images = (searcher.region if region else searcher.sentence)(sentence or "", k, min_score)
            found = None
        told = None if sentence is None else unknown_note(searcher.knows(sentence))
        if out is not None:
            _draw(opened.workspace, images, sentence or f"like {like}", out)
    _print(common, images, found, region, out)
    if told and not common.json and not common.quiet:
        print(told)


def _print(common: Common, images: Sequence[Hit], similar: Similar | None, region: bool, out: Path | None) -> None:
    if common.json:
        result = similar.to_json() if similar else [hit.to_json() for hit in images]
        print(json.dumps(result, ensure_ascii=False))
        return
    if common.quiet:
        return
    if images:
        _print_images(images, region)
    else:
        print("nothing found; lower --min-score")
    if similar:
        _print_sentences(similar.sentences)
    if out is not None:
        print(out)


def _print_images(images: Sequence[Hit], region: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", justify="right")
    table.add_column("score", justify="right")
    table.add_column("image", overflow="fold")
    if any(hit.words for hit in images):
        table.add_column("box x1 y1 x2 y2" if region else "phrases and their boxes", overflow="fold")
    for place, hit in enumerate(images, start=1):
        if hit.weak and not (place > 1 and images[place - 2].weak):
            table.add_row("", "", Text("weak matches:" if place > 1 else "all matches are weak:", "dim italic"))
        why = Text()
        if hit.box is not None:
            why.append(_corners(hit.box))
        for n, phrase in enumerate(hit.phrases):
            why.append(", " if n else "")
            why.append(phrase.text, "bold")
            why.append(" whole image" if phrase.whole_image else f" {_corners(phrase.box)}", "dim")
        table.add_row(str(place), f"{hit.score:.3f}", Text(hit.key), *([why] if hit.words else []))
    Console().print(table)


def _print_sentences(sentences: Sequence[SentenceHit]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "score"):
        table.add_column(name, justify="right")
    for name in ("sentence", "image"):
        table.add_column(name, overflow="fold")
    for place, hit in enumerate(sentences, start=1):
        table.add_row(str(place), f"{hit.score:.3f}", Text(hit.text), Text(hit.key))
    console = Console()
    console.print()
    console.print(table if sentences else "no sentence: the workspace has no captions")


def _corners(box: object) -> str:
    return " ".join(f"{x:.0f}" for x in box)  # type: ignore[attr-defined]


def _draw(ws: Workspace, images: Sequence[Hit], title: str, out: Path) -> None:
    from phrasebox.io.atomic import replacing
    from phrasebox.show import sheet, sheet_page

    found = list(_found(ws, images))
    with replacing(out) as part:
        if out.suffix.lower() in _PAGES:
            part.write_text(sheet_page(found, title, title), encoding="utf-8")
        else:
            sheet(found, title).save(part, PICTURES[out.suffix.lower()])


def _found(ws: Workspace, images: Sequence[Hit]) -> list[Found]:
    """The images with the phrases to draw; an image that cannot be read is a grey rectangle."""
    import numpy as np

    from phrasebox.errors import DataError
    from phrasebox.io.images import load_image
    from phrasebox.show import Found
    from phrasebox.types import Phrase

    rows = {row.key: row for batch in ws.images(keys=dict.fromkeys(hit.key for hit in images)) for row in batch}
    found = []
    for place, hit in enumerate(images, start=1):
        row, note = rows[hit.key], ()
        try:
            pixels = load_image(row.path)
        except DataError as error:
            pixels, note = np.full((row.height or 300, row.width or 400, 3), 200, np.uint8), (str(error),)
        phrases = hit.phrases
        if hit.box is not None:
            text = " ".join(word.text for word in hit.words)
            phrases = (Phrase(text, (0, len(text)), hit.box, hit.score, 1.0),)
        scores = "  ".join(f"{phrase.text} {phrase.score:.2f}" for phrase in phrases)
        found.append(
            Found(pixels, phrases, (f"{place}.  {hit.score:.3f}", *([scores] if scores else []), hit.key, *note))
        )
    return found

"""phrasebox describe: captions of images and of their regions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from phrasebox.captioner.settings import SpeechSettings
from phrasebox.cli.app import COMMON, Common
from phrasebox.cli.settings import SPEECH
from phrasebox.cli.shared import PICTURES, EngineName, bulk_engine, check_target, device, sleep_when_idle
from phrasebox.errors import DataError, SettingsError

if TYPE_CHECKING:
    from phrasebox.captioner import Captioner, Description
    from phrasebox.pipeline import Engine

_SPEECH = SpeechSettings()


def describe(
    image: Annotated[list[Path], Parameter(negative=())],
    /,
    *,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    regions: int = 8,
    boxes: str | None = None,
    model: str | None = None,
    config: Path | None = None,
    speech: Annotated[SpeechSettings, SPEECH] = _SPEECH,
    engine: EngineName = "local",
    address: str | None = None,
    common: Common = COMMON,
) -> None:
    """Describe images with a sentence each, and their most informative regions with phrases.

    Parameters
    ----------
    image
        Image files, or one folder of images.
    out
        File to write: one annotated image (png, jpg, webp), a page (html), or JSON lines (jsonl). An interrupted jsonl
        file is continued.
    regions
        Maximum number of described regions per image; 0 for the sentence only.
    boxes
        Describe these boxes instead: x1,y1,x2,y2 in pixels, separated by spaces or semicolons; for one image only.
    model
        Folder or hub id of a captioner; default: the built-in one.
    config
        TOML file with settings in a table [describe]; options on the command line override it.
    engine
        Where a folder is processed: local (processes on this machine) or ray (a cluster).
    address
        Address of the Ray cluster, such as auto or HOST:6379; default: start one on this machine.
    """
    sleep_when_idle()
    from phrasebox.aligner.known_words import unknown_note
    from phrasebox.captioner import Captioner

    folder = image[0] if len(image) == 1 and image[0].is_dir() else None
    kind = "" if out is None else out.suffix.lower()
    if out is not None:
        check_target(out)
        if kind not in (*PICTURES, ".html", ".jsonl"):
            raise SettingsError(f"{out}: the name must end in {', '.join(PICTURES)}, .html or .jsonl")
    single = kind in PICTURES or boxes is not None
    if single and (folder is not None or len(image) > 1):
        what = "--boxes are for" if boxes is not None else f"{kind} holds"
        raise SettingsError(f"{what} one image; give one, or write .html or .jsonl for several")
    own = None if boxes is None else _parse_boxes(boxes)
    where = bulk_engine(common, engine, address)
    if folder is None and where.name != "local":
        raise SettingsError(f"--engine {engine} is for a folder of images; give one, or omit --engine")
    captioner = Captioner.load(model, device(common), common.workers)
    speech = replace(speech, seed=common.seed)
    if folder is not None:
        _folder(captioner, folder, out, regions, speech, common, where)
        return
    described = [captioner.describe(path, regions, own, speech) for path in image]
    if out is not None:
        _write(out, kind, [(path, found) for path, found in zip(image, described, strict=True)])
    if common.json:
        found = [d.to_json() for d in described]
        print(json.dumps(found[0] if len(found) == 1 else found, ensure_ascii=False))
    elif not common.quiet:
        print_descriptions(described)
        if told := unknown_note((s.name, not s.known) for d in described for s in d.seen):
            print(told)
        if out is not None:
            print(out)


def _folder(
    captioner: Captioner,
    folder: Path,
    out: Path | None,
    regions: int,
    speech: SpeechSettings,
    common: Common,
    where: Engine,
) -> None:
    """Describe a folder into JSON lines, and write a page from them if ``out`` is one."""
    from phrasebox.stages.describe import describe_folder, page_of
    from phrasebox.types import Skipped
    from phrasebox.workspace.manifest import NAME as MANIFEST

    if (folder / MANIFEST).exists():
        raise SettingsError(f"{folder} is a workspace; give the folder of its pictures")
    if out is None:
        raise SettingsError(f"{folder} is a folder; name a file for its descriptions: -o out.jsonl or -o out.html")
    bad: list[Skipped] = []
    lines = out.with_suffix(".jsonl")
    counts = describe_folder(captioner, folder, lines, regions, speech, common.silent, bad.extend, where)
    if out != lines:
        page_of(lines, folder, out)
    if common.json:
        left_out = [{"image": item.key, "reason": item.reason} for item in bad]
        print(json.dumps({"file": str(out), "new": counts.done, "skipped": left_out}, ensure_ascii=False))
    elif not common.quiet:
        print(f"{out}: {counts.done} images described now", *(f"  {b.key}: {b.reason}" for b in bad), sep="\n")


def _write(out: Path, kind: str, described: list[tuple[Path, Description]]) -> None:
    from phrasebox.io.atomic import replacing
    from phrasebox.show.description import descriptions_page, draw_description

    if kind == ".html":
        descriptions_page(described, out)
        return
    with replacing(out) as part:
        if kind == ".jsonl":
            lines = [json.dumps(d.to_json(), ensure_ascii=False) for _, d in described]
            part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        else:
            draw_description(*described[0]).save(part, PICTURES[kind])


def _parse_boxes(text: str) -> list[list[float]]:
    """Parse boxes ``x1,y1,x2,y2`` separated by white space or semicolons."""
    found = []
    for part in text.replace(";", " ").split():
        try:
            box = [float(number) for number in part.split(",")]
        except ValueError:
            box = []
        if len(box) != 4:
            raise DataError(f"box {part!r} is not x1,y1,x2,y2 in pixels")
        found.append(box)
    if not found:
        raise DataError("--boxes is empty; give x1,y1,x2,y2 in pixels, several separated by spaces")
    return found


def print_descriptions(described: list[Description]) -> None:
    """Print one table per image; where the captioner is not sure, what is likely there in place of its sentence."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for d in described:
        table = Table(title=Text(d.key), title_justify="left")
        table.add_column("region", no_wrap=True)
        table.add_column("text", overflow="fold")
        table.add_column("confidence", justify="right")
        for told, place in [(d, "whole image"), *((r, " ".join(f"{x:.0f}" for x in r.box)) for r in d.regions)]:
            sure = "" if told.confidence is None else f"{told.confidence:.2f}"
            for i, text in enumerate((told.shown, *told.captions[1:]) if told.sure else (told.shown,)):
                table.add_row("" if i else place, Text(text), "" if i else sure)
        for one in d.seen:
            name = one.name if one.known else f"{one.name}, which the captioner has no word for"
            table.add_row("classifier", Text(name), f"{one.share:.2f}")
        console.print(table)

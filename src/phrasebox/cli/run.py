"""phrasebox run: every stage in one command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from phrasebox.cli.align import align
from phrasebox.cli.app import COMMON, Common
from phrasebox.cli.export import export
from phrasebox.cli.gallery import gallery
from phrasebox.cli.ground import ground
from phrasebox.cli.import_ import import_
from phrasebox.cli.regions import regions
from phrasebox.cli.shared import check_target
from phrasebox.regions import settings as region_settings


def run(
    source: Path,
    ws: Path,
    /,
    *,
    format: str = "auto",
    images: Path | None = None,
    train: bool = False,
    out: Path | None = None,
    common: Common = COMMON,
) -> None:
    """Import images, compute regions, ground captions and export the pairs; continues a stopped run.

    Parameters
    ----------
    source
        File or folder of captioned images, see: phrasebox import --help.
    ws
        The workspace folder, created if missing.
    format
        Format of the source, see: phrasebox import --help; default: detected.
    images
        Folder of the image files, if they are not beside the source.
    train
        Train an aligner on these images and ground with it; default: use the built-in one.
    out
        Folder of the exported files; default: the folder "out" of the workspace.
    """
    from phrasebox.workspace.workspace import Workspace

    folder = out or ws / "out"
    check_target(folder / "gallery.html")
    inner = replace(common, json=False, quiet=common.silent)
    import_(source, ws, format=format, images=images, common=inner)
    regions(ws, settings=region_settings.REGION_PRESETS["modern"], common=inner)
    if train:
        align(ws, common=inner)
    ground(ws, common=inner)
    files = {"odvg": "odvg.jsonl", "coco-grounding": "coco.json", "parquet": "pairs.parquet"}
    for kind, name in files.items():
        export(ws, folder / name, format=kind, common=inner)  # type: ignore[arg-type]
    gallery(ws, folder / "gallery.html", common=replace(inner, quiet=True))
    paths = [str(folder / name) for name in ("gallery.html", *files.values())]
    if common.json:
        print(json.dumps({"pairs": Workspace(ws).count("phrases"), "files": paths}))
    elif not common.quiet:
        print("\n".join(paths))

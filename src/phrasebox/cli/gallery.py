"""phrasebox gallery: draw grounded images into one HTML file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from phrasebox.cli.app import COMMON, Common, Split, WorkspacePath
from phrasebox.cli.shared import check_target, left_out, say, session, warn
from phrasebox.io.wording import counted


def gallery(
    ws: WorkspacePath,
    out: Path,
    /,
    *,
    images: int = 24,
    split: Split | None = None,
    model: str | None = None,
    common: Common = COMMON,
) -> None:
    """Draw images, coloured sentences, boxes and score matrices into one HTML file.

    Parameters
    ----------
    out
        HTML file to write.
    images
        Number of images.
    split
        Draw only images of this split.
    model
        Folder or hub id of an aligner; default: the workspace's own, or the built-in one.
    """
    from phrasebox.stages.export import gallery_of

    check_target(out)
    with session(ws, common, writes=False) as opened:
        shown, lacking = gallery_of(opened.workspace, opened.aligner(model), out, images, split)
        told = left_out(opened.workspace, lacking)
    say(
        common,
        {"file": str(out), "images": shown, "left_out": [*map(asdict, lacking)]},
        f"{out}: {counted(shown, 'image')}",
    )
    warn(common, told)

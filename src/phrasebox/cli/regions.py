"""phrasebox regions: compute boxes and vectors of every image."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from phrasebox.cli.app import COMMON, Common, WorkspacePath
from phrasebox.cli.settings import REGIONS, START, Start
from phrasebox.cli.shared import EngineName, bulk_engine, say, session, skipped
from phrasebox.regions.settings import REGION_PRESETS, RegionSettings

_SETTINGS = REGION_PRESETS["modern"]


def regions(
    ws: WorkspacePath,
    /,
    *,
    start: Start = START,
    like: str | None = None,
    views: int = 0,
    settings: Annotated[RegionSettings, REGIONS] = _SETTINGS,
    engine: EngineName = "local",
    address: str | None = None,
    profile: bool = False,
    fresh: bool = False,
    common: Common = COMMON,
) -> None:
    """Find boxes in every image and compute their vectors.

    Parameters
    ----------
    like
        Folder or hub id of a model; use its region settings and backbones instead of a preset's.
    views
        Number of random views (parts, half of them flipped) of each train image whose regions are made as well, up
        to 8; align trains on them too.
    engine
        Where images are processed: local (processes on this machine) or ray (a cluster).
    address
        Address of the Ray cluster, such as auto or HOST:6379; default: start one on this machine.
    profile
        Print images per second, the time of each step and the bottleneck. Measures this process: use --workers 1.
    fresh
        Discard existing regions and compute them again, for example with other settings.
    """
    from phrasebox.pipeline.profile import Profile
    from phrasebox.stages.regions import STAGE, make_regions

    where = bulk_engine(common, engine, address)
    with session(ws, common) as opened:
        workspace = opened.workspace
        watch = Profile()
        counts = make_regions(
            workspace, settings, opened.device, opened.workers, fresh, opened.silent, watch, where, views
        )
        spent = watch.lines(counts.done) if profile else []
        total = workspace.count("regions")
        left_out = len(workspace.skipped(STAGE))
        say(
            common,
            {"images": total, "new": counts.done, "skipped": left_out, "settings": asdict(settings)}
            | ({"seconds": dict(watch.seconds)} if profile else {}),
            f"{total} images have regions, {counts.done} of them new",
            *skipped(workspace, STAGE),
            *spent,
        )

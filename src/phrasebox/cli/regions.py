"""phrasebox regions: boxes and vectors of every image."""

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
    settings: Annotated[RegionSettings, REGIONS] = _SETTINGS,
    engine: EngineName = "local",
    address: str | None = None,
    profile: bool = False,
    fresh: bool = False,
    common: Common = COMMON,
) -> None:
    """Find boxes in every image and make their vectors.

    Parameters
    ----------
    like
        A model's folder or hub id, whose settings and networks to take instead of a preset's.
    engine
        local, processes of this machine, or ray, a cluster.
    address
        Of a Ray cluster, such as auto or HOST:6379; one is started on this machine otherwise.
    profile
        Tell the rate, where the time went, and what bounds it; of this process, so give it one worker.
    fresh
        Make them anew with other settings.
    """
    from phrasebox.pipeline.profile import Profile
    from phrasebox.stages.regions import STAGE, make_regions

    where = bulk_engine(common, engine, address)
    with session(ws, common) as opened:
        workspace = opened.workspace
        watch = Profile()
        counts = make_regions(workspace, settings, opened.device, opened.workers, fresh, opened.silent, watch, where)
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

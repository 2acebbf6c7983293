"""phrasebox regions: boxes and vectors of every image."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from phrasebox.cli.app import COMMON, Common, Preset, WorkspacePath
from phrasebox.cli.shared import EngineName, bulk_engine, override, say, session, skipped


def regions(
    ws: WorkspacePath,
    /,
    *,
    preset: Preset = "modern",
    like: str | None = None,
    proposer: str | None = None,
    count: int | None = None,
    density: int | None = None,
    short_side: int | None = None,
    detector: str | None = None,
    backbone: str | None = None,
    size: int | None = None,
    pooling: Literal["roi", "crops"] | None = None,
    second: str | None = None,
    second_size: int | None = None,
    nms: float | None = None,
    rank: Literal["contrast", "classifier", "proposer"] | None = None,
    runtime: Literal["auto", "openvino", "torch"] | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    profile: bool = False,
    fresh: bool = False,
    common: Common = COMMON,
) -> None:
    """Find boxes in every image and make their vectors.

    Parameters
    ----------
    preset
        modern, or paper: selective search, the 19 best boxes and the whole image.
    like
        A model's folder or hub id, whose settings and networks to take instead of a preset's.
    proposer
        selective_search, grid, detector, or given (your own boxes); not the preset's, it starts from its own defaults.
    count
        Regions kept an image, the whole image included.
    density
        Boxes of the grid.
    short_side
        Pixels of the copy's short side on which selective_search looks for boxes.
    detector
        The detector's model: torchvision:NAME, torchvision:NAME=WEIGHTS, or a folder or hub id for transformers.
    backbone
        efficientnet-lite0, -lite1, -lite2, timm:MODEL, or the folder of a fine-tuned network.
    size
        Side in pixels to which the image is squashed for the backbone.
    pooling
        roi pools boxes from one map; crops runs the backbone on every box.
    second
        A second backbone whose vectors are put behind those of the first; "" for none, as with another --backbone.
    second_size
        As size, for the second backbone.
    nms
        Largest overlap (IoU) of two boxes that are kept.
    rank
        What makes a box better: its contrast with what is around it on the backbone's map, the backbone's
        classifier, or the proposer.
    runtime
        What runs the backbone.
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
    from phrasebox.regions.settings import REGION_PRESETS, RegionSettings, region_settings_of
    from phrasebox.stages.regions import STAGE, make_regions

    if backbone is not None and second is None:
        second = ""  # the preset's two are chosen for each other
    given = {"proposer": proposer, "regions": count, "density": density, "short_side": short_side,
             "detector": detector, "backbone": backbone, "size": size, "pooling": pooling, "second": second,
             "second_size": second_size, "nms": nms, "rank": rank, "runtime": runtime}  # fmt: skip
    chosen = REGION_PRESETS[preset] if like is None else region_settings_of(like)
    if proposer not in (None, chosen.proposer):
        chosen = RegionSettings.of_proposer(proposer)  # type: ignore[arg-type]
    settings = override(chosen, given)
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

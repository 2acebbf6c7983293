"""Fine-tuning the networks' last blocks together with a trained aligner (theta_c; PAPER: section 2)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phrasebox.aligner import AlignEpoch, Pairs, TrainSettings
from phrasebox.aligner.finetuned import MappedRegions, TunedAligner
from phrasebox.aligner.model import AlignerModel
from phrasebox.aligner.train import train
from phrasebox.errors import SettingsError
from phrasebox.io.images import DECODED, load_reduced
from phrasebox.regions.backbones import load_network
from phrasebox.regions.backbones.finetuned import NETWORKS, is_tuned, save_tuned, shown
from phrasebox.regions.backbones.network import Network
from phrasebox.regions.backbones.runtime import make_engine
from phrasebox.regions.backbones.tail import Halves, cut
from phrasebox.regions.extractor import squash
from phrasebox.regions.reduced import ENOUGH
from phrasebox.regions.settings import RegionSettings
from phrasebox.stages.own_vectors import BACKBONE
from phrasebox.stages.stored_maps import stored_maps
from phrasebox.training import distributed
from phrasebox.training.execution import PLAIN, Execution
from phrasebox.training.loop import Trained
from phrasebox.workspace.workspace import Workspace

MAPS = "maps"
"""Folder, inside a model's folder, of the feature maps that the last blocks read while they are fine-tuned."""

_RATE, _EPOCHS, _DROP = 0.25, 3, 0.0  # factor on the learning rate; number of epochs; share of dropped regions


@dataclass(frozen=True, slots=True)
class Tuned:
    """Result of fine-tuning: the model, its training history, and region settings with the fine-tuned backbones.

    ``model`` includes the backbones' last blocks and reads ``pairs``.
    """

    model: TunedAligner
    trained: Trained[AlignerModel, AlignEpoch]
    pairs: Pairs
    regions: RegionSettings


def check_tunable(settings: RegionSettings, blocks: int) -> None:
    """Raise an error if the backbones cannot be fine-tuned; called before a long computation.

    Raises
    ------
    SettingsError
        If the vectors are not pooled from feature maps, the backbones have fewer ``blocks`` or are already fine-tuned,
        or several processes train.
    ModelError
        As `phrasebox.regions.backbones.tail.cut`.
    """
    if settings.pooling != "roi" or settings.backbone == BACKBONE:
        raise SettingsError("only backbones with pooled feature maps can be fine-tuned; use --pooling roi")
    if distributed.world() > 1:
        raise SettingsError("fine-tuning runs in one process only; run it without torchrun")
    for name in (settings.backbone, settings.second):
        if is_tuned(name):
            raise SettingsError(f"{shown(name)} is already fine-tuned; compute regions with its base model first")
    for network in _networks(settings):
        cut(network, blocks)


def _networks(settings: RegionSettings) -> list[Network]:
    names = [(settings.backbone, settings.size), (settings.second, settings.second_size)]
    return [load_network(name, size) for name, size in names if name]


def tune(
    ws: Workspace,
    aligner: AlignerModel,
    settings: RegionSettings,
    data: tuple[Pairs, Pairs],
    trained_with: TrainSettings,
    blocks: int,
    folder: Path,
    device: str = "cpu",
    workers: int = 2,
    quiet: bool = False,
    report: Callable[[AlignEpoch], object] = lambda epoch: None,
    execution: Execution = PLAIN,
) -> Tuned:
    """Fine-tune the last ``blocks`` blocks of the backbones with the aligner, and save the backbones in ``folder``.

    An interrupted run continues after the last batch of feature maps, or after the last epoch.

    Raises
    ------
    SettingsError, ModelError
        As `phrasebox.regions.backbones.tail.cut`.
    """
    networks = _networks(settings)
    halves = [cut(network, blocks) for network in networks]
    mapped = [
        _mapped(ws, pairs, networks, halves, blocks, folder / MAPS, split, device, workers, quiet)
        for pairs, split in zip(data, ("train", "val"), strict=True)
    ]
    start = TunedAligner(aligner.settings, [half.tail for half in halves], settings.bins, trained_with.dropout)
    start.load_state_dict(aligner.state_dict(), strict=False)
    again = replace(trained_with, lr=trained_with.lr * _RATE, epochs=_EPOCHS, drop_regions=_DROP, average=0.0)
    trained = train(mapped[0], mapped[1], aligner.settings, again, folder / "tuning", device, report, execution, start)
    model = trained.model
    assert isinstance(model, TunedAligner)
    own = [
        str(save_tuned(folder / NETWORKS, network, blocks, tail))  # type: ignore[arg-type]
        for network, tail in zip(networks, model.tails, strict=True)
    ]
    tuned = replace(settings, backbone=own[0], second=own[1] if settings.second else "")
    return Tuned(model, trained, mapped[0], tuned)


def _mapped(
    ws: Workspace,
    pairs: Pairs,
    networks: Sequence[Network],
    halves: Sequence[Halves],
    blocks: int,
    folder: Path,
    split: str,
    device: str,
    workers: int,
    quiet: bool,
) -> Pairs:
    """The pairs, with the feature maps of every backbone added to their regions."""
    rows = {row.key: row for batch in ws.images(split) for row in batch}
    files = [rows[key] for key in pairs.keys]
    maps = []
    for network, half in zip(networks, halves, strict=True):
        engine = make_engine("auto", half.trunk, network.input_size, device, workers)
        what = json.dumps([network.fingerprint, blocks, list(pairs.keys)]).encode()
        stored = stored_maps(
            folder / f"{hashlib.blake2b(what, digest_size=8).hexdigest()}.f16",
            (len(files), math.prod(half.shape)),
            lambda i, side=network.input_size: squash(load_reduced(files[i].path, ENOUGH)[0], side),
            lambda pixels, run=engine.run: run(pixels)[0].flatten(1).cpu().numpy(),
            f"maps, {split}, {Path(network.name).name}",
            workers,
            quiet,
            lambda i: DECODED * files[i].width * files[i].height,
        )
        maps.append(stored.reshape(-1, *half.shape))
    return replace(pairs, regions=MappedRegions(pairs.regions, maps))

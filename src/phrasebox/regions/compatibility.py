"""Checks that a workspace's region settings fit a model."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from phrasebox.errors import ModelError, SettingsError, WorkspaceError
from phrasebox.regions.backbone_names import folder_in
from phrasebox.regions.backbones.finetuned import is_tuned, same_network
from phrasebox.regions.settings import RegionSettings, same_vectors
from phrasebox.workspace.workspace import Workspace

STAGE = "regions"


_LATER = {"layers": "", "aspect": False, "precision": "fp32"}
"""Settings that earlier versions did not record, and what they did."""


def stage_settings(settings: RegionSettings) -> dict[str, object]:
    """The settings that vectors depend on; the runtime may change because its results are equal."""
    values = asdict(settings)
    return {n: v for n, v in values.items() if n != "runtime" and not (n in _LATER and v == _LATER[n])}


def workspace_regions(ws: Workspace) -> RegionSettings:
    """The settings the workspace's regions were made with.

    Raises
    ------
    WorkspaceError
        If there are none yet, or their settings cannot be read.
    """
    made = ws.stages.get(STAGE)
    if made is None or not ws.count("regions"):
        raise WorkspaceError(f"{ws.path} has no regions yet; run: phrasebox regions {ws.path}")
    try:
        return RegionSettings(**made)
    except (SettingsError, TypeError) as error:
        raise WorkspaceError(
            f"the settings of {ws.path}'s regions are damaged: {error}; run: phrasebox regions {ws.path} --fresh"
        ) from error


def differences(made: RegionSettings, settings: RegionSettings) -> str:
    """What makes vectors made with ``made`` unfit for a model of ``settings``: empty if they fit.

    >>> differences(RegionSettings(size=64), RegionSettings())
    'size=64 (model: None)'
    """
    if same_vectors(made, settings):
        return ""
    here, there = asdict(made), asdict(settings)
    return ", ".join(f"{k}={here[k]!r} (model: {v!r})" for k, v in there.items() if k != "runtime" and here[k] != v)


def networks_here(settings: RegionSettings, ws: Workspace) -> RegionSettings:
    """A model's settings with the workspace's folders for networks whose own are not on this machine."""
    if ws.stages.get(STAGE) is None:
        return settings
    made = workspace_regions(ws)
    found = {}
    for part in ("backbone", "second"):
        own, there = getattr(settings, part), getattr(made, part)
        folder = folder_in(own)
        if folder is not None and not folder.is_dir() and same_network(own, there):
            found[part] = there
    return replace(settings, **found)


def check_regions(
    ws: Workspace, settings: RegionSettings, reader: str, command: str, first_alone: bool = False
) -> None:
    """Compare how the workspace's regions were made with what a model reads.

    Parameters
    ----------
    settings : RegionSettings
        The model's own.
    reader, command : str
        Name of the model in the message, and the command that trains one.
    first_alone : bool
        The model reads the first network's vectors only, so a second network may differ.

    Raises
    ------
    ModelError
        If they differ.
    """
    if ws.stages.get(STAGE) is None:
        return
    made = workspace_regions(ws)
    differing = differences(made.of_first, settings.of_first) if first_alone else differences(made, settings)
    if not differing:
        return
    own = Path(settings.backbone).parent.parent if is_tuned(settings.backbone) else None
    options = f" --like {own}" if own else ""
    raise ModelError(
        f"the regions of {ws.path} do not fit the {reader}: {differing}; train one with: phrasebox {command} "
        f"{ws.path}, or compute the regions again with: phrasebox regions {ws.path}{options} --fresh"
    )

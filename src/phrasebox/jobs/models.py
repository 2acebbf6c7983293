"""What the jobs that train a model, or use one on a workspace, have in common."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from phrasebox import distributed
from phrasebox.backbones.tuned import is_tuned
from phrasebox.errors import ModelError, SettingsError, WorkspaceError
from phrasebox.execution import Execution
from phrasebox.jobs.regions import STAGE as REGIONS
from phrasebox.jobs.regions import stage_settings
from phrasebox.places import in_store
from phrasebox.region_settings import RegionSettings, same_regions
from phrasebox.workspace import Workspace


def model_folder(ws: Workspace, name: str) -> Path:
    """The folder of the model of this name in the workspace.

    Raises
    ------
    SettingsError
        If the name is not that of a folder.
    """
    if name != Path(name).name or name in ("", ".."):
        raise SettingsError(f"name {name!r} is a path; give the name of a folder inside {ws.models}")
    if in_store(ws.path):
        raise SettingsError(f"{ws.path} is in a store, where no model can be trained; copy it to this machine first")
    return ws.models / name


def workspace_regions(ws: Workspace) -> RegionSettings:
    """The settings the workspace's regions were made with.

    Raises
    ------
    WorkspaceError
        If there are none yet, or their settings cannot be read.
    """
    made = ws.stages.get(REGIONS)
    if made is None or not ws.count("regions"):
        raise WorkspaceError(f"{ws.path} has no regions yet; run: phrasebox regions {ws.path}")
    try:
        return RegionSettings(**made)
    except (SettingsError, TypeError) as error:
        raise WorkspaceError(
            f"the settings of {ws.path}'s regions are damaged: {error}; run: phrasebox regions {ws.path} --fresh"
        ) from error


def computed(device: str, execution: Execution) -> dict[str, Any]:
    """How a training is computed, as its run is recorded: what differs from the default, and the device."""
    together = {"processes": distributed.world()} if distributed.world() > 1 else {}
    return {"device": device.partition(":")[0] if together else device, **execution.asked, **together}


def check_regions(
    ws: Workspace, settings: RegionSettings, reader: str, command: str, first_alone: bool = False
) -> None:
    """Compare how the workspace's regions were made with what a model reads.

    Parameters
    ----------
    settings : RegionSettings
        The model's own.
    reader, command : str
        What the model is called in the message, and what trains one.
    first_alone : bool
        The model reads the first network's vectors, and does not care whether there is a second.

    Raises
    ------
    ModelError
        If they differ.
    """
    if ws.stages.get(REGIONS) is None:
        return
    made = workspace_regions(ws)
    if first_alone:
        made = replace(made, second=settings.second, second_size=settings.second_size)
    if same_regions(made, settings):
        return
    here, there = stage_settings(made), stage_settings(settings)
    differing = ", ".join(f"{k}={here[k]!r} (model: {v!r})" for k, v in there.items() if here[k] != v)
    own = Path(settings.backbone).parent.parent if is_tuned(settings.backbone) else None
    options = f" --like {own}" if own else ""
    raise ModelError(
        f"the regions of {ws.path} do not fit the {reader}: {differing}; train one with: phrasebox {command} "
        f"{ws.path}, or make the regions anew with: phrasebox regions {ws.path}{options} --fresh"
    )

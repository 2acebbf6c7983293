"""What the jobs that train a model, or use one on a workspace, have in common."""

from __future__ import annotations

from pathlib import Path

from phrasebox.errors import ModelError, SettingsError
from phrasebox.features import RegionSettings
from phrasebox.jobs.regions import STAGE as REGIONS
from phrasebox.jobs.regions import stage_settings
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
    return ws.models / name


def check_regions(ws: Workspace, settings: RegionSettings, reader: str, command: str) -> None:
    """Compare how the workspace's regions were made with what a model reads.

    Parameters
    ----------
    settings : RegionSettings
        The model's own.
    reader, command : str
        What the model is called in the message, and what trains one.

    Raises
    ------
    ModelError
        If they differ.
    """
    made, meant = ws.stages.get(REGIONS), stage_settings(settings)
    if made is not None and made != meant:
        differing = ", ".join(f"{k}={made.get(k)!r} (model: {v!r})" for k, v in meant.items() if made.get(k) != v)
        raise ModelError(
            f"the regions of {ws.path} do not fit the {reader}: {differing}; train one with: phrasebox {command} "
            f"{ws.path}, or make the regions anew with: phrasebox regions {ws.path} --fresh"
        )

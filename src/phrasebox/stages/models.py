"""Shared by the stages that train a model: its folder, its history, and the options of its run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phrasebox.errors import SettingsError
from phrasebox.io.atomic import write_json
from phrasebox.io.paths import in_store
from phrasebox.show import Panel, curves
from phrasebox.training import distributed
from phrasebox.training.execution import Execution
from phrasebox.training.loop import Epoch
from phrasebox.workspace.workspace import Workspace


def model_folder(ws: Workspace, name: str) -> Path:
    """The folder of a model in the workspace.

    Raises
    ------
    SettingsError
        If the name is not a valid folder name, or the workspace is in an object store.
    """
    if name != Path(name).name or name in ("", ".."):
        raise SettingsError(f"name {name!r} is a path; give the name of a folder inside {ws.models}")
    if in_store(ws.path):
        raise SettingsError(f"{ws.path} is in a store, where no model can be trained; copy it to this machine first")
    return ws.models / name


def computed(device: str, execution: Execution) -> dict[str, Any]:
    """The options of a run that say how training is computed: the device, and those that are not the default."""
    together = {"processes": distributed.world()} if distributed.world() > 1 else {}
    return {"device": device.partition(":")[0] if together else device, **execution.asked, **together}


def write_history(folder: Path, history: Sequence[Epoch], measured: Sequence[Panel]) -> None:
    """Write ``history.json`` and ``curves.png``: loss, the ``measured`` curves, and learning rate over the epochs."""
    write_json(folder / "history.json", [epoch.to_json() for epoch in history])
    loss = Panel("loss", {"train": [e.loss for e in history]})
    curves([loss, *measured, Panel("learning rate", {"": [e.lr for e in history]})], folder / "curves.png")

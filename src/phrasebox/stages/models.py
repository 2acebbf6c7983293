"""What the jobs that train a model, or use one on a workspace, have in common."""

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


def computed(device: str, execution: Execution) -> dict[str, Any]:
    """How a training is computed, as its run is recorded: what differs from the default, and the device."""
    together = {"processes": distributed.world()} if distributed.world() > 1 else {}
    return {"device": device.partition(":")[0] if together else device, **execution.asked, **together}


def write_history(folder: Path, history: Sequence[Epoch], measured: Sequence[Panel]) -> None:
    """Write ``history.json`` and ``curves.png``: loss, what was ``measured``, and learning rate over the epochs."""
    write_json(folder / "history.json", [epoch.to_json() for epoch in history])
    loss = Panel("loss", {"train": [e.loss for e in history]})
    curves([loss, *measured, Panel("learning rate", {"": [e.lr for e in history]})], folder / "curves.png")

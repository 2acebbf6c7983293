"""The state of a training between epochs on disk: whole or not there, and only of the same run."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phrasebox.errors import ModelError
from phrasebox.files import write_whole

CHECKPOINT = "checkpoint.pt"


def save_checkpoint(path: Path, identity: str, state: Mapping[str, Any]) -> None:
    """Write beside and rename; ``identity`` is all that the state depends on."""
    import torch

    file = io.BytesIO()
    torch.save({"identity": identity, **state}, file)
    write_whole(path, file.getvalue())


def load_checkpoint(path: Path, identity: str, device: str) -> dict[str, Any]:
    """The state that a run of the same identity left.

    Raises
    ------
    ModelError
        If the file is damaged, or of a run with other settings or data.
    """
    import torch

    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        found = state["identity"]
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ModelError(f"{path} cannot be read ({error}); delete it to start again") from error
    if found != identity:
        raise ModelError(f"{path} is of a run with other settings or data; start it anew with --fresh")
    return state


def cosine_rate(step: int, total: int, warmup: int) -> float:
    """Share of the largest learning rate: a warm-up, then a cosine down to a hundredth.

    Examples
    --------
    >>> [round(cosine_rate(step, 100, 10), 2) for step in (0, 9, 50, 100)]
    [0.1, 0.98, 0.51, 0.01]
    """
    warm = min(1.0, (step + 1) / max(1, warmup))
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total)))))

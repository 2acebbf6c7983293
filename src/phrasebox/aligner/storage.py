"""A model on disk: safetensors, a config and a card in one folder; never pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from phrasebox.errors import ModelError

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"


def write_model(folder: Path, config: Mapping[str, Any], state: Mapping[str, Tensor], card: str) -> None:
    """Write a model folder; floating-point tensors in half precision. Each file is written beside and renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / WEIGHTS, state)
    for name, content in {
        CONFIG: (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode(),
        CARD: card.encode(),
    }.items():
        new = folder / f"{name}.new"
        new.write_bytes(content)
        os.replace(new, folder / name)


def write_tensors(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write safetensors beside and rename; floating-point tensors in half precision."""
    from safetensors.torch import save

    tensors = {k: (v.half() if v.is_floating_point() else v).detach().cpu().contiguous() for k, v in state.items()}
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(save(tensors, metadata={"format": "pt"}))
    os.replace(new, path)


def find_model(source: str | Path) -> Path:
    """The folder of a model: a local path, or a hub id ``owner/name`` that is fetched or found in the hub's cache.

    Raises
    ------
    ModelError
        If it is neither.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelError(f"{source} is a file; a model is a folder with {CONFIG} and {WEIGHTS}")
    name = str(source)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelError(f"there is no model folder {source}; give a model's folder, or a hub id owner/name")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[CONFIG, WEIGHTS, CARD]))
    except Exception as error:  # the hub client raises many kinds, all of which mean: not to be had
        raise ModelError(
            f"{source} is no folder here and not to be had from the hub ({type(error).__name__})"
        ) from error


def read_config(folder: Path, kind: str) -> dict[str, Any]:
    """The model's config, if it is of this ``kind``.

    Raises
    ------
    ModelError
        If it is missing, malformed, or of another kind of model.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{folder} is not a model folder: no readable {CONFIG} ({error.strerror})") from error
    except ValueError as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    found = config.get("kind") if isinstance(config, dict) else None
    if found != kind:
        raise ModelError(f"{path} describes {found or 'no phrasebox model'}; expected {kind}")
    return config


def read_weights(folder: Path, into: torch.nn.Module) -> None:
    """Load the tensors into a network, checking each.

    Raises
    ------
    ModelError
        As `read_tensors`.
    """
    expected = into.state_dict()
    tensors = read_tensors(folder / WEIGHTS, {name: tuple(tensor.shape) for name, tensor in expected.items()})
    into.load_state_dict({name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()})


def read_tensors(path: Path, shapes: Mapping[str, tuple[int | None, ...]]) -> dict[str, Tensor]:
    """The tensors of a file, each of its expected shape; None in a shape allows any length.

    Raises
    ------
    ModelError
        If a tensor is missing, left over, of the wrong shape, or not finite, or the file is not safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path.parent} is not a model folder: no readable {path.name} ({error.strerror})") from error
    except SafetensorError as error:
        raise ModelError(f"{path} is not a safetensors file ({error})") from error
    if missing := sorted(shapes.keys() - tensors.keys()):
        raise ModelError(f"{path} lacks {', '.join(missing)}")
    if extra := sorted(tensors.keys() - shapes.keys()):
        raise ModelError(f"{path} has {', '.join(extra)}, which the model of {CONFIG} does not")
    for name, tensor in tensors.items():
        wanted, found = shapes[name], tuple(tensor.shape)
        if len(wanted) != len(found) or any(w not in (None, f) for w, f in zip(wanted, found, strict=True)):
            raise ModelError(f"{path}: {name} is {found}, {CONFIG} asks for {wanted}")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ModelError(f"{path}: {name} holds numbers that are not finite")
    return tensors

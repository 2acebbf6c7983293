"""Read and write a model folder: weights as safetensors (never pickle), a config and a model card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from phrasebox.errors import ModelError
from phrasebox.io.atomic import write_json, write_whole
from phrasebox.io.offline import is_offline
from phrasebox.io.old_names import current, removed
from phrasebox.io.paths import file_system, in_store, place, reaching

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
VOCABULARY, PARTS = "vocabulary.txt", "parts.txt"
_LARGEST_CONFIG = 1 << 24  # largest size of a config, in bytes
MODEL = "model"  # folder of the model inside a data set for the hub
_FILES = [
    place + name
    for place in ("", f"{MODEL}/")
    for name in (CONFIG, CARD, VOCABULARY, PARTS, "*.safetensors", "networks/*.json")
]


def write_model(folder: Path, config: Mapping[str, Any], state: Mapping[str, Tensor], card: str) -> None:
    """Write a model folder, each file atomically; floating-point tensors are stored in half precision."""
    write_tensors(folder / WEIGHTS, state)
    write_json(folder / CONFIG, config)
    write_whole(folder / CARD, card.encode())


def write_tensors(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write safetensors atomically; floating-point tensors are stored in half precision."""
    from safetensors.torch import save

    tensors = {k: (v.half() if v.is_floating_point() else v).detach().cpu().contiguous() for k, v in state.items()}
    write_whole(path, save(tensors, metadata={"format": "pt"}))


def find_model(source: str | Path) -> Path:
    """The folder of a model, from a local path or a hub id; a model on the hub is downloaded or read from the cache.

    Parameters
    ----------
    source : path or str
        Folder of a model, or of a data set with its model as `phrasebox.stages.hub` writes it; or ``owner/name`` of
        either on the hub, or ``owner/name@revision`` with a branch, tag or commit.

    Raises
    ------
    ModelError
        If there is no such model, or it is not in the hub's cache in offline mode.
    """
    folder = place(source)
    if in_store(folder):
        folder = _copied(folder)
    if folder.is_dir():
        return _model_inside(folder)
    if folder.exists():
        raise ModelError(f"{source} is a file; a model is a folder with {CONFIG} and {WEIGHTS}")
    name = str(source)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelError(f"there is no model folder {source}; give a model's folder, or a hub id owner/name")
    return _model_inside(_fetched(name))


@cache
def _copied(folder: Path) -> Path:
    """A temporary local copy of a model's folder in an object store."""
    store, name = file_system(folder)
    copy = Path(_copies().name, str(len(list(Path(_copies().name).iterdir()))))
    with reaching(folder):
        if not folder.exists():
            raise ModelError(f"there is no model at {folder}")
        store.get(name.rstrip("/") + "/", str(copy) + "/", recursive=True)
    return copy


@cache
def _copies() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="phrasebox-models-")


def _fetched(source: str) -> Path:
    """The files of a model in the hub's cache; downloaded if missing."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    name, _, revision = source.partition("@")
    offline = is_offline()
    of_other_kind = LocalEntryNotFoundError if offline else RepositoryNotFoundError
    reason = ""
    for kind in ("model", "dataset"):
        try:
            found = snapshot_download(
                name, repo_type=kind, revision=revision or None, allow_patterns=_FILES, local_files_only=offline
            )
            return Path(found)
        except of_other_kind as error:
            reason = type(error).__name__
        except Exception as error:  # the hub client raises many kinds of errors
            reason = type(error).__name__
            break
    if offline:
        raise ModelError(
            f"{source} is not a local folder and not in the hub's cache; download it once without --offline"
        )
    raise ModelError(f"{source} is not a local folder and cannot be downloaded from the hub ({reason})")


def model_id(model: torch.nn.Module) -> str:
    """A short hash of the weights, used to tell the results of different models apart."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().half().numpy().tobytes())
    return digest.hexdigest()[:16]


def stored_id(folder: Path) -> str:
    """`model_id` of the model in a folder, without loading the network.

    Raises
    ------
    ModelError
        If the weights cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    digest = hashlib.sha256()
    try:
        with safe_open(folder / WEIGHTS, "np") as file:
            for name in sorted(file.keys()):
                digest.update(name.encode() + file.get_tensor(name).astype(np.float16).tobytes())
    except (OSError, SafetensorError, TypeError) as error:
        raise ModelError(f"{folder / WEIGHTS} cannot be read: {error}") from error
    return digest.hexdigest()[:16]


def _model_inside(folder: Path) -> Path:
    inner = folder / MODEL
    return inner if not (folder / CONFIG).exists() and (inner / CONFIG).exists() else folder


def read_config(folder: Path, kind: str = "") -> dict[str, Any]:
    """The config of a model of this ``kind``, or of any kind if ``kind`` is empty.

    Raises
    ------
    ModelError
        If it is missing, malformed, of another kind of model, or has a setting that was removed.
    """
    path = folder / CONFIG
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(_LARGEST_CONFIG))
    except OSError as error:
        raise ModelError(f"{folder} is not a model folder: no readable {CONFIG} ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: {error}") from error
    found = config.get("kind") if isinstance(config, dict) else None
    if found is None or kind not in ("", found):
        raise ModelError(f"{path} describes {found or 'no phrasebox model'}; expected {kind or 'a model'}")
    config = {name: current(name, part) if isinstance(part, dict) else part for name, part in config.items()}
    model = config.get("model")
    if isinstance(model, dict) and (gone := removed(model)):  # only captioners had any
        settings = " and ".join(f"{name} {value!r}" for name, value in gone.items())
        raise ModelError(
            f"{folder} was made by an earlier version with {settings}, which is gone; "
            "train it again with: phrasebox caption WS --fresh"
        )
    return config


def read_weights(folder: Path, into: torch.nn.Module) -> None:
    """Load the weights into a network, which may be on the ``meta`` device, and check each tensor.

    Raises
    ------
    ModelError
        As `read_tensors`.
    """
    expected = into.state_dict()
    tensors = read_tensors(folder / WEIGHTS, {name: tuple(tensor.shape) for name, tensor in expected.items()})
    into.load_state_dict({name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()}, assign=True)


def read_tensors(path: Path, shapes: Mapping[str, tuple[int | None, ...]]) -> dict[str, Tensor]:
    """The tensors of a file, checked against their expected shapes; None in a shape allows any length.

    Raises
    ------
    ModelError
        If a tensor is missing, unexpected, of another shape, or not finite, or the file is not safetensors.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:  # shapes are in the header
            _check_shapes(path, shapes, {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()})  # noqa: SIM118
            tensors = {name: file.get_tensor(name).clone() for name in shapes}  # cloned: the file may be replaced
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"{path.parent} is not a model folder: no readable {path.name} ({reason})") from error
    except SafetensorError as error:
        raise ModelError(f"{path} is not a safetensors file ({error})") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel() and not all(map(torch.isfinite, tensor.aminmax())):
            raise ModelError(f"{path}: {name} holds numbers that are not finite")
    return tensors


def _check_shapes(
    path: Path, shapes: Mapping[str, tuple[int | None, ...]], found: Mapping[str, tuple[int, ...]]
) -> None:
    if missing := sorted(shapes.keys() - found.keys()):
        raise ModelError(f"{path} lacks {', '.join(missing)}")
    if extra := sorted(found.keys() - shapes.keys()):
        raise ModelError(f"{path} has {', '.join(extra)}, which the model of {CONFIG} does not")
    for name, shape in found.items():
        wanted = shapes[name]
        if len(wanted) != len(shape) or any(w not in (None, f) for w, f in zip(wanted, shape, strict=True)):
            raise ModelError(f"{path}: {name} is {shape}, {CONFIG} asks for {wanted}")

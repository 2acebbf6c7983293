"""Fine-tuned networks: a folder with the weights of the last blocks."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phrasebox.errors import ModelError
from phrasebox.io.model_folder import CONFIG, model_id, read_config, read_weights, write_model
from phrasebox.regions.backbone_names import family_of, folder_in, with_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phrasebox.regions.backbones.network import Network
    from phrasebox.regions.backbones.tail import Tail

KIND = "phrasebox network"
NETWORKS = "networks"
"""Folder, inside a model's folder, of its fine-tuned backbones."""

_CARD = """# {base}, fine-tuned

The last {blocks} block(s), trained through the alignment loss of phrasebox on captions alone. `--backbone` and
`--second` of `phrasebox regions` take this folder.
"""


def save_tuned(parent: Path, network: Network, blocks: int, tail: Tail) -> Path:
    """Write the last ``blocks`` blocks of a network to a folder; the trunk is loaded by the network's name.

    The name of the folder contains a hash of the weights.
    """
    folder = parent / f"{Path(network.name).name.replace(':', '-')}-{model_id(tail)}"
    config = {"kind": KIND, "base": network.name, "input_size": network.input_size, "blocks": blocks}
    write_model(folder, config, tail.state_dict(), _CARD.format(base=network.name, blocks=blocks))
    return folder


def load_tuned(folder: Path, load: Callable[[str, int], Network], input_size: int | None = None) -> Network:
    """The network in a folder; ``load`` loads its base network by name and input size.

    Raises
    ------
    ModelError
        If the folder is not one of `save_tuned`, or damaged.
    """
    from phrasebox.regions.backbones.tail import cut

    config = read_config(folder, KIND)
    base = _base(folder, config)
    try:
        size, blocks = int(input_size or config["input_size"]), int(config["blocks"])
    except (KeyError, TypeError, ValueError) as error:
        raise _not_described(folder, error) from error
    network = load(base, size)
    tail = cut(network, blocks).tail
    read_weights(folder, tail)
    return replace(network, name=str(folder), fingerprint=f"{base}@{size}:{model_id(tail)}")


def base_of(name: str) -> str:
    """The name of the network that the one in a folder was made of; other names are returned as they are.

    Raises
    ------
    ModelError
        If the folder is not one of `save_tuned`.
    """
    return _base(Path(name), read_config(Path(name), KIND)) if is_tuned(name) else name


def _base(folder: Path, config: Mapping[str, Any]) -> str:
    try:
        base = str(config["base"])
    except KeyError as error:
        raise _not_described(folder, error) from error
    if is_tuned(base):
        raise ModelError(f"{folder / CONFIG}: a network cannot be made of another folder")
    return base


def _not_described(folder: Path, error: Exception) -> ModelError:
    return ModelError(f"the config of {folder} does not describe a network of this version: {error}")


def is_tuned(name: str) -> bool:
    """Whether a backbone's name is that of a folder."""
    return "/" in name and not family_of(name)


def same_network(one: str, other: str) -> bool:
    """Whether two backbone names mean the same weights; the path of a folder does not matter.

    A folder of another library's model means the same as one of the same name elsewhere, or as that model of the hub.

    Examples
    --------
    >>> same_network("efficientnet-lite0", "efficientnet-lite1")
    False
    >>> same_network("ws/models/mine/networks/efficientnet-lite0-5a3c", "copy/networks/efficientnet-lite0-5a3c")
    True
    >>> same_network("hf:/models/siglip2-base-patch16-224", "hf:google/siglip2-base-patch16-224")
    True
    """
    if one == other:
        return True
    of_folder = (is_tuned(one) and is_tuned(other)) or folder_in(one) is not None or folder_in(other) is not None
    return of_folder and family_of(one) == family_of(other) and Path(one).name == Path(other).name


def keep_with(folder: Path, name: str) -> str:
    """Copy the network ``name`` into a model's folder if it is a folder; returns the name to store."""
    if not is_tuned(name):
        return name
    inside = f"./{NETWORKS}/{Path(name).name}"
    if not (folder / inside).exists():
        if not Path(name).is_dir():
            raise ModelError(f"there is no network {name}; the model cannot be saved without it")
        shutil.copytree(name, folder / inside)
    return inside


def shown(name: str) -> str:
    """A network's name to display, without the path of its folder.

    Examples
    --------
    >>> shown("ws/models/mine/networks/efficientnet-lite0-5a3c"), shown("timm:resnet50"), shown("hf:/models/clip")
    ('efficientnet-lite0-5a3c', 'timm:resnet50', 'hf:clip')
    """
    folder = folder_in(name)
    if folder is not None:
        return f"{family_of(name)}{folder.name}"
    return Path(name).name if is_tuned(name) else name


def found_with(folder: Path, name: str) -> str:
    """The network's name from one that `keep_with` returned, with the present folder.

    The folder of another library's model that is not where it was is looked for in the model's ``networks``.
    """
    if name.startswith("./"):
        return str(folder / name)
    own = folder_in(name)
    if own is None or own.is_dir() or not (moved := folder / NETWORKS / own.name).is_dir():
        return name
    return with_folder(name, moved)

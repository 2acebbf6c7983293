"""Fine-tuned networks: a folder with the weights of the last blocks."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from phrasebox.errors import ModelError
from phrasebox.io.model_folder import CONFIG, WEIGHTS, model_id, read_config, read_tensors, write_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from phrasebox.regions.backbones.network import Network
    from phrasebox.regions.backbones.tail import Tail

KIND = "phrasebox network"
NETWORKS = "networks"
"""Folder in a model's folder with the networks that belong to it."""

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
    """The network of a folder; ``load`` gives the one it was made from by name and input size.

    Raises
    ------
    ModelError
        If the folder is not one of `save_tuned`, or damaged.
    """
    from phrasebox.regions.backbones.tail import cut

    config = read_config(folder, KIND)
    try:
        base, size, blocks = str(config["base"]), int(input_size or config["input_size"]), int(config["blocks"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the config of {folder} does not describe a network of this version: {error}") from error
    if is_tuned(base):
        raise ModelError(f"{folder / CONFIG}: a network cannot be made of another folder")
    network = load(base, size)
    tail = cut(network, blocks).tail
    known = tail.state_dict()
    tensors = read_tensors(folder / WEIGHTS, {name: tuple(tensor.shape) for name, tensor in known.items()})
    tail.load_state_dict({name: tensor.to(known[name].dtype) for name, tensor in tensors.items()})
    return replace(network, name=str(folder), fingerprint=f"{base}@{size}:{model_id(tail)}")


def is_tuned(name: str) -> bool:
    """Whether a backbone's name is that of a folder."""
    return "/" in name and not name.startswith("timm:")


def same_network(one: str, other: str) -> bool:
    """Whether two names of backbones mean the same weights; those of folders do wherever they are.

    Examples
    --------
    >>> same_network("efficientnet-lite0", "efficientnet-lite1")
    False
    >>> same_network("ws/models/mine/networks/efficientnet-lite0-5a3c", "copy/networks/efficientnet-lite0-5a3c")
    True
    """
    return one == other or (is_tuned(one) and is_tuned(other) and Path(one).name == Path(other).name)


def keep_with(folder: Path, name: str) -> str:
    """Copy the network called ``name``, if it is a folder's, into a model's; what the model is to call it."""
    if not is_tuned(name):
        return name
    inside = f"./{NETWORKS}/{Path(name).name}"
    if not (folder / inside).exists():
        if not Path(name).is_dir():
            raise ModelError(f"there is no network {name}; the model cannot be saved without it")
        shutil.copytree(name, folder / inside)
    return inside


def shown(name: str) -> str:
    """A network's name for people, without the path of a folder of this machine.

    Examples
    --------
    >>> shown("ws/models/mine/networks/efficientnet-lite0-5a3c"), shown("timm:resnet50")
    ('efficientnet-lite0-5a3c', 'timm:resnet50')
    """
    return Path(name).name if is_tuned(name) else name


def found_with(folder: Path, name: str) -> str:
    """The name of a network as `keep_with` wrote it, from anywhere."""
    return str(folder / name) if name.startswith("./") else name

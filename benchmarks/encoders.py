"""Seconds a photograph of backbones of other libraries, with random weights of their real sizes: no network is needed.

    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python benchmarks/encoders.py [--only dinov2] [--photographs 3] [--record]

Weights do not change how long a network takes. Each runs on two threads, by OpenVINO where it can, else by torch. Time
is measured twice: seconds that pass, and seconds of processor cores, which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from phrasebox.regions.backbones import load_backbone
from recording import record

ABOUT = (
    "Networks of these sizes with random weights, at the input size of their processors, on two threads. `seconds` "
    "passed on a machine with two cores (AVX-512) and a load of about 16 from other work; `core seconds` are those of "
    "its cores, which two threads on an idle machine share. No pretrained weights were loaded."
)
_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
_SMALL = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}


def _hf(config: str, side: int, **values: Any) -> Callable[[Path], str]:
    """Fill a folder with the config of a model and of its processor; the name of the backbone."""

    def fill(folder: Path) -> str:
        import transformers

        getattr(transformers, config)(**values).save_pretrained(folder)
        size = {"height": side, "width": side}
        transformers.SiglipImageProcessor(size=size).save_pretrained(folder)
        return f"hf:{folder}"

    return fill


MODELS: dict[str, Callable[[Path], str]] = {
    "efficientnet-lite2": lambda folder: "efficientnet-lite2",
    "open_clip:ViT-B-32": lambda folder: "open_clip:ViT-B-32",
    "open_clip:ViT-B-16": lambda folder: "open_clip:ViT-B-16",
    "hf: SigLIP or SigLIP 2, B/16": _hf("SiglipConfig", 224),
    "hf: TIPSv2 B/14": _hf("Tipsv2Config", 448),
    "hf: DINOv2 S/14": _hf("Dinov2Config", 224, **_SMALL, image_size=518, patch_size=14),
    "hf: DINOv2 B/14": _hf("Dinov2Config", 224, **_BASE, image_size=518, patch_size=14),
    "hf: DINOv3 S/16": _hf("DINOv3ViTConfig", 224, **_SMALL, intermediate_size=1536, num_register_tokens=4),
    "timm:vit_small_patch16_dinov3": lambda folder: "timm:vit_small_patch16_dinov3",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="models whose name contains this")
    parser.add_argument("--photographs", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="keep the table for the documentation")
    given = parser.parse_args()
    torch.set_num_threads(2)
    rows = []
    for model, fill in MODELS.items():
        if given.only.lower() not in model.lower():
            continue
        row = measured(model, fill, given.photographs)
        print(row, flush=True)
        rows.append(row)
        gc.collect()
    if given.record:
        threads = "OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE"
        command = f"{threads} python benchmarks/encoders.py --photographs {given.photographs} --record"
        record("encoders", "Backbones of other libraries", ABOUT, command, [{"title": "encoders", "rows": rows}])


def measured(model: str, fill: Callable[[Path], str], count: int) -> dict[str, Any]:
    """One network."""
    with TemporaryDirectory() as folder:
        backbone = load_backbone(fill(Path(folder)), threads=2, pretrained=False)
    side = backbone.input_size
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    backbone.maps(pixels[:1])
    passed, used = time.perf_counter(), time.process_time()
    cells = backbone.maps(pixels).shape[2:].numel()
    passed, used = time.perf_counter() - passed, time.process_time() - used
    return {
        "model": model, "engine": backbone.engine, "side": side, "cells": cells, "numbers": backbone.dim,
        "seconds": round(passed / count, 2), "core seconds": round(used / count, 2),
    }  # fmt: skip


if __name__ == "__main__":
    main()

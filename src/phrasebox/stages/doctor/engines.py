"""Check that the inference engines work, not only that they are installed."""

from __future__ import annotations

import importlib.util

import numpy as np

from phrasebox.stages.doctor.finding import Finding

_SIDE = 8


def engines() -> Finding:
    """Run a small network with OpenVINO and with torch, and compare the results."""
    import torch

    from phrasebox.regions.backbones.runtime import OpenVinoEngine, TorchEngine, convert

    class Small(torch.nn.Module):
        """Pixels (B, S, S, 3) uint8 -> a map (B, 2, S, S)."""

        def __init__(self) -> None:
            super().__init__()
            self.convolve = torch.nn.Conv2d(3, 2, 3, padding=1)
            with torch.no_grad():
                for values in self.parameters():
                    values.copy_(torch.linspace(-1, 1, values.numel()).view_as(values))

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.convolve(pixels.permute(0, 3, 1, 2).float())

    if importlib.util.find_spec("openvino") is None:
        remedy = "several times faster on processors: pip install openvino"
        return Finding("note", "machine", "OpenVINO is not installed; torch is used instead", remedy)
    images = np.arange(2 * _SIDE * _SIDE * 3, dtype=np.uint8).reshape(2, _SIDE, _SIDE, 3)
    try:
        ran = OpenVinoEngine(lambda shape: convert(Small().eval(), shape), (_SIDE, _SIDE), threads=1).run(images)[0]
    except Exception as error:  # a broken installation can raise any error
        line = " ".join(str(error).split())[:120]
        return Finding("broken", "machine", f"OpenVINO cannot run a network: {line}", "pip install -U openvino")
    with torch.inference_mode():
        expected = TorchEngine(Small().eval()).run(images)[0]
    if torch.allclose(ran, expected, rtol=1e-3, atol=1e-2):
        return Finding("ok", "machine", "OpenVINO and torch compute the same")
    remedy = "compute regions with --runtime torch, and report this"
    return Finding("broken", "machine", "OpenVINO and torch compute different numbers", remedy)

"""Inference engines: OpenVINO for fast inference on CPUs, torch for any device."""

from __future__ import annotations

import importlib.util
import sys
import threading
import warnings
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from phrasebox.errors import SettingsError

EngineName = Literal["auto", "openvino", "torch"]


class Engine(Protocol):
    """Runs a body on a batch of pixels."""

    name: str

    def run(self, images: np.ndarray) -> tuple[Tensor, ...]:
        """``(B, S, S, 3)`` uint8 -> the body's maps, each ``(B, D, h, w)`` float32, on the engine's device."""
        ...


class OpenVinoEngine:
    """The network body compiled for the CPU; the images of a batch run in parallel streams.

    Always computes in float32: OpenVINO would use bfloat16 on processors that have it, with other results.
    """

    name = "openvino"

    def __init__(self, model: Any, threads: int | None = None) -> None:
        openvino = silent_openvino()
        settings: dict[str, object] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,  # otherwise every process pins its threads to the first core
        }
        if threads is not None:
            settings |= {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": str(threads)}
        compiled = openvino.Core().compile_model(model, "CPU", settings)
        self._shapes = [tuple(output.shape)[1:] for output in compiled.outputs]  # (D, h, w) of each map
        self._queue = openvino.AsyncInferQueue(compiled)
        self._lock = threading.Lock()  # the queue's callback belongs to one batch at a time

    def run(self, images: np.ndarray) -> tuple[Tensor, ...]:
        """As `Engine.run`; safe to call from several threads, one batch runs at a time."""
        maps = [np.empty((len(images), *shape), dtype=np.float32) for shape in self._shapes]

        def keep(request: object, i: int) -> None:
            for number, found in enumerate(maps):
                found[i] = request.get_output_tensor(number).data[0]  # type: ignore[attr-defined]

        with self._lock:
            self._queue.set_callback(keep)
            for i, image in enumerate(images):
                self._queue.start_async({0: image[None]}, i)
            self._queue.wait_all()
        return tuple(map(torch.from_numpy, maps))


def convert(body: nn.Module, input_size: int) -> Any:
    """The body as an OpenVINO model for single images of this size."""
    openvino = silent_openvino()
    shape = [1, input_size, input_size, 3]
    pixels = torch.zeros(shape, dtype=torch.uint8)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns about varying sizes; the size is fixed
        traced = torch.jit.trace(body, pixels, check_trace=False)
        return openvino.convert_model(traced, example_input=pixels, input=shape)


def silent_openvino() -> Any:
    """Disable OpenVINO's telemetry, which reports conversions to its maker and writes into the home folder.

    The converter works without the telemetry package.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


class TorchEngine:
    """The network body on a torch device."""

    name = "torch"

    def __init__(self, body: nn.Module, device: str = "cpu") -> None:
        try:
            self._device = torch.device(device)
            self._body = body.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        except (RuntimeError, AssertionError) as error:
            raise SettingsError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}; try 'cpu'") from None

    def run(self, images: np.ndarray) -> tuple[Tensor, ...]:
        """As `Engine.run`."""
        with torch.inference_mode():
            maps = self._body(torch.tensor(images, device=self._device))
        return maps if isinstance(maps, tuple) else (maps,)


def make_engine(engine: EngineName, body: nn.Module, input_size: int, device: str, threads: int | None) -> Engine:
    """Build the engine; ``auto`` is OpenVINO on the processor where it is installed, else torch.

    Raises
    ------
    SettingsError
        As `runs_openvino`, or if torch has no such device.
    """
    if runs_openvino(engine, device):
        return OpenVinoEngine(convert(body, input_size), threads)
    return TorchEngine(body, device)


def runs_openvino(engine: EngineName, device: str) -> bool:
    """Whether this engine name means OpenVINO on this device.

    Raises
    ------
    SettingsError
        If the engine is unknown, not installed, or does not run on the device.
    """
    if engine not in ("auto", "openvino", "torch"):
        raise SettingsError(f"unknown engine {engine!r}; choose auto, openvino or torch")
    if engine == "openvino" and device != "cpu":
        raise SettingsError(f"engine 'openvino' runs on device 'cpu', not on {device!r}; choose engine 'torch'")
    installed = importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and not installed:
        raise SettingsError("engine 'openvino' is not installed; run: pip install openvino, or choose engine 'torch'")
    return engine == "openvino" or (engine == "auto" and device == "cpu" and installed)

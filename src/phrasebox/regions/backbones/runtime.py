"""Inference engines: OpenVINO for fast inference on CPUs, torch for any device."""

from __future__ import annotations

import importlib.util
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from phrasebox.errors import SettingsError
from phrasebox.regions.backbones.network import Resizable

EngineName = Literal["auto", "openvino", "torch"]
Precision = Literal["fp32", "bf16"]
Shape = tuple[int, int]
"""Height and width in pixels."""


class Engine(Protocol):
    """Runs a body on a batch of pixels."""

    name: str

    def run(self, images: np.ndarray) -> tuple[Tensor, ...]:
        """``(B, H, W, 3)`` uint8 -> the body's maps, each ``(B, D, h, w)`` float32, on the engine's device."""
        ...


class OpenVinoEngine:
    """The network body compiled for the CPU; the images of a batch run in parallel streams.

    Always computes in float32: OpenVINO would use bfloat16 on processors that have it, with other results.

    Parameters
    ----------
    converted : callable
        The body as an OpenVINO model for images of a shape.
    shape : (int, int)
        The shape to begin with; models for others are compiled when they are needed.
    """

    name = "openvino"

    def __init__(self, converted: Callable[[Shape], Any], shape: Shape, threads: int | None = None) -> None:
        self._converted, self._threads = converted, threads
        self._compiled = {shape: self._compile(shape)}
        self._lock = threading.Lock()  # a queue's callback belongs to one batch at a time

    def run(self, images: np.ndarray) -> tuple[Tensor, ...]:
        """As `Engine.run`; safe to call from several threads, one batch runs at a time."""
        with self._lock:
            shape = images.shape[1], images.shape[2]
            if shape not in self._compiled:
                self._compiled[shape] = self._compile(shape)
            queue, shapes = self._compiled[shape]
            maps = [np.empty((len(images), *one), dtype=np.float32) for one in shapes]

            def keep(request: object, i: int) -> None:
                for number, found in enumerate(maps):
                    found[i] = request.get_output_tensor(number).data[0]  # type: ignore[attr-defined]

            queue.set_callback(keep)
            for i, image in enumerate(images):
                queue.start_async({0: image[None]}, i)
            queue.wait_all()
        return tuple(map(torch.from_numpy, maps))

    def _compile(self, shape: Shape) -> tuple[Any, list[tuple[int, ...]]]:
        """A queue of requests for images of a shape, and the shape (D, h, w) of each map."""
        openvino = silent_openvino()
        settings: dict[str, object] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,  # otherwise every process pins its threads to the first core
        }
        if self._threads is not None:
            settings |= {"INFERENCE_NUM_THREADS": self._threads, "NUM_STREAMS": str(self._threads)}
        compiled = openvino.Core().compile_model(self._converted(shape), "CPU", settings)
        return openvino.AsyncInferQueue(compiled), [tuple(output.shape)[1:] for output in compiled.outputs]


class _Distinct(nn.Module):
    """A body that gives each map once: the converter cannot name an output twice.

    ``order`` is filled with the place of each map among them.
    """

    def __init__(self, body: nn.Module, order: list[int]) -> None:
        super().__init__()
        self.body, self._order = body, order

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        maps = as_maps(self.body(pixels))
        own = {id(found): found for found in maps}
        self._order[:] = [list(own).index(id(found)) for found in maps]
        return tuple(own.values())


def convert(body: nn.Module, shape: Shape) -> Any:
    """The body as an OpenVINO model for single images of this shape."""
    openvino = silent_openvino()
    size, order = [1, *shape, 3], list[int]()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about what it removes
        distinct = _Distinct(body_at(body, shape), order).eval()
        exported = torch.export.export(distinct, (torch.zeros(size, dtype=torch.uint8),), strict=False)
        model = openvino.convert_model(exported.run_decompositions({}), input=size)
    if len(order) == len(model.outputs):
        return model
    maps = [output.node.input_value(0) for output in model.outputs]
    return openvino.Model([openvino.opset8.result(maps[place]) for place in order], model.get_parameters())


def body_at(body: nn.Module, shape: Shape) -> nn.Module:
    """The body for images of a shape."""
    return body.at(*shape) if isinstance(body, Resizable) else body


def as_maps(found: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a body gives, as a tuple."""
    return found if isinstance(found, tuple) else (found,)


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

    def __init__(self, body: nn.Module, device: str = "cpu", precision: Precision = "fp32") -> None:
        self._bfloat16, self._bodies = precision == "bf16", dict[Shape, nn.Module]()
        try:
            self._device = torch.device(device)
            self._body = body.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        except (RuntimeError, AssertionError) as error:
            raise SettingsError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}; try 'cpu'") from None

    def run(self, images: np.ndarray) -> tuple[Tensor, ...]:
        """As `Engine.run`."""
        shape = images.shape[1], images.shape[2]
        reduced = torch.autocast(self._device.type, torch.bfloat16) if self._bfloat16 else nullcontext()
        with torch.inference_mode(), reduced:
            if shape not in self._bodies:
                self._bodies[shape] = body_at(self._body, shape)
            maps = self._bodies[shape](torch.tensor(images, device=self._device))
            return tuple(found.float() for found in as_maps(maps))


def make_engine(
    engine: EngineName,
    body: nn.Module,
    input_size: int,
    device: str,
    threads: int | None,
    precision: Precision = "fp32",
) -> Engine:
    """Build the engine; ``auto`` is OpenVINO on the processor where it is installed and can run the body, else torch.

    Raises
    ------
    SettingsError
        As `runs_openvino`, or if OpenVINO was asked for and cannot run the body, or torch has no such device.
    """
    if runs_openvino(engine, device, precision):
        try:
            return OpenVinoEngine(lambda shape: convert(body, shape), (input_size, input_size), threads)
        except Exception as error:  # its converter and torch's exporter raise many kinds
            if engine == "openvino":
                reason = " ".join(str(error).split())[-200:]
                raise SettingsError(
                    f"engine 'openvino' cannot run this backbone ({reason}); choose engine 'torch'"
                ) from error
    return TorchEngine(body, device, precision)


def runs_openvino(engine: EngineName, device: str, precision: Precision = "fp32") -> bool:
    """Whether this engine name means OpenVINO on this device, in this number format.

    Raises
    ------
    SettingsError
        If the engine is unknown, not installed, or does not run on the device or in the format.
    """
    if engine not in ("auto", "openvino", "torch"):
        raise SettingsError(f"unknown engine {engine!r}; choose auto, openvino or torch")
    if engine == "openvino" and device != "cpu":
        raise SettingsError(f"engine 'openvino' runs on device 'cpu', not on {device!r}; choose engine 'torch'")
    if engine == "openvino" and precision != "fp32":
        raise SettingsError(f"engine 'openvino' computes in fp32, not in {precision}; choose engine 'torch'")
    installed = importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and not installed:
        raise SettingsError("engine 'openvino' is not installed; run: pip install openvino, or choose engine 'torch'")
    may = device == "cpu" and precision == "fp32" and installed
    return engine == "openvino" or (engine == "auto" and may)

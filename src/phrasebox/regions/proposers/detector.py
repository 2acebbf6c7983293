"""A pretrained object detector as box proposer."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from phrasebox.errors import ModelError, SettingsError
from phrasebox.regions.proposers.base import Proposals

if TYPE_CHECKING:
    import torch

TORCHVISION = "torchvision:"


class Detector:
    """Boxes of a torchvision or transformers detector, ranked by its confidence; classes are ignored.

    The network is loaded at the first image, and runs on one image at a time.

    Parameters
    ----------
    model : str
        ``torchvision:NAME``, such as ``torchvision:fasterrcnn_resnet50_fpn_v2``, with torchvision's own weights, or
        ``torchvision:NAME=FILE`` with those of a file that holds a state dict (``.safetensors``, or ``.pth``, which
        is read without running code in it); else a folder or a hub id that transformers can load for object
        detection, such as ``facebook/detr-resnet-50``.
    threshold : float
        Least confidence of a box.

    Raises
    ------
    SettingsError
        If no model is named, or the threshold is not in [0, 1).
    """

    def __init__(self, model: str = "", threshold: float = 0.01) -> None:
        if not model.removeprefix(TORCHVISION):
            raise SettingsError(
                "the proposer 'detector' needs a model; name one, such as torchvision:fasterrcnn_resnet50_fpn_v2 "
                "or facebook/detr-resnet-50"
            )
        if not 0 <= threshold < 1:
            raise SettingsError(f"threshold is {threshold}; give a confidence from 0 up to 1")
        self.model, self.threshold = model, threshold
        self._lock = threading.Lock()
        self._network: Any = None

    @property
    def name(self) -> str:
        """``detector-<model>-<threshold>``."""
        return f"detector-{self.model}-{self.threshold:g}"

    def propose(self, image: np.ndarray) -> Proposals:
        """Boxes of an ``(H, W, 3)`` uint8 RGB image, highest confidence first.

        Raises
        ------
        ModelError
            If the detector cannot be loaded.
        """
        with self._lock:  # a detector uses all threads for one image, and its processor keeps state
            if self._network is None:
                self._network = self._load()
            boxes, scores = self._network(image, self.threshold)
        height, width = image.shape[:2]
        boxes = np.clip(boxes, 0, [width, height] * 2).astype(np.float32)
        good = np.isfinite(boxes).all(1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        boxes, scores = boxes[good], scores[good].astype(np.float32)
        order = np.lexsort((*boxes.T[::-1], -scores))
        return Proposals(boxes[order], scores[order])

    def _load(self) -> _Torchvision | _Transformers:
        kind = _Torchvision if self.model.startswith(TORCHVISION) else _Transformers
        try:
            return kind(self.model)
        except Exception as error:  # any error of the hub, the network, the file system or the weights
            raise ModelError(
                f"cannot load the detector {self.model!r}: {' '.join(str(error).split())}; name a detector of "
                "torchvision (torchvision:NAME, or torchvision:NAME=FILE for own weights), or a folder or hub id "
                "of transformers"
            ) from error


class _Torchvision:
    def __init__(self, model: str) -> None:
        from torchvision.models import get_model, list_models
        from torchvision.models.detection import __name__ as detection

        name, _, file = model.removeprefix(TORCHVISION).partition("=")
        known = [each for each in list_models() if _module(each).startswith(detection)]
        if name not in known:
            raise ModelError(f"torchvision has {', '.join(known)}")
        if file:
            state = _read_state(Path(file))
            classes = _classes(state)
            net = get_model(name, weights=None, weights_backbone=None, **({"num_classes": classes} if classes else {}))
            net.load_state_dict(state)
        else:
            net = get_model(name, weights="DEFAULT")
        self.net = net.eval()

    def __call__(self, image: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        import torch

        with torch.inference_mode():
            (found,) = self.net([torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255])
        sure = found["scores"] >= threshold
        return found["boxes"][sure].numpy(), found["scores"][sure].numpy()


class _Transformers:
    def __init__(self, model: str) -> None:
        from transformers import AutoImageProcessor, AutoModelForObjectDetection

        self.processor = AutoImageProcessor.from_pretrained(model)
        self.net = AutoModelForObjectDetection.from_pretrained(model, use_safetensors=True).eval()

    def __call__(self, image: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        import torch

        with torch.inference_mode():
            output = self.net(**self.processor(images=image, return_tensors="pt"))
            size = torch.tensor([image.shape[:2]])
            (found,) = self.processor.post_process_object_detection(output, threshold=threshold, target_sizes=size)
        return found["boxes"].numpy(), found["scores"].numpy()


def _module(name: str) -> str:
    from torchvision.models import get_model_builder

    return get_model_builder(name).__module__


def _read_state(file: Path) -> dict[str, torch.Tensor]:
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)
    import torch

    return torch.load(file, map_location="cpu", weights_only=True)


def _classes(state: dict[str, torch.Tensor]) -> int | None:
    """Number of classes of a Faster or Mask R-CNN, which fine-tuning may change; None for other detectors."""
    scores = state.get("roi_heads.box_predictor.cls_score.weight")
    return None if scores is None else len(scores)

"""A source of FiftyOne's model zoo: the aligner and the captioner of phrasebox.

FiftyOne finds this folder in its folder of models (``fiftyone.config.model_zoo_dir``), or in a repository or an archive
whose URL is given to ``foz.register_zoo_model_source``.

model = foz.load_zoo_model("phrasebox/aligner", caption_field="caption")
dataset.apply_model(model, label_field="phrases")
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import fiftyone as fo
from fiftyone.core.models import Model, SamplesMixin
from phrasebox import Aligner, Captioner

ALIGNER, CAPTIONER = "phrasebox/aligner", "phrasebox/captioner"
_KINDS = {ALIGNER: Aligner, CAPTIONER: Captioner}


def download_model(model_name: str, model_path: str) -> None:
    """Write the built-in model of the installed package into the zoo's folder."""
    _kind(model_name).load().save(model_path)


def load_model(
    model_name: str,
    model_path: str,
    caption_field: str = "caption",
    regions: int = 8,
    source: str | None = None,
    device: str = "cpu",
) -> Model:
    """The model of this name.

    Parameters
    ----------
    caption_field : str
        Field of the samples with a caption, or a list of captions, for the aligner.
    regions : int
        Number of regions that the captioner describes.
    source : str, optional
        Folder or hub id of a model of your own, instead of the built-in one.
    device : str
        A torch device.
    """
    loaded = _kind(model_name).load(source or model_path, device)
    return AlignerModel(loaded, caption_field) if isinstance(loaded, Aligner) else CaptionerModel(loaded, regions)


def _kind(model_name: str) -> type[Aligner] | type[Captioner]:
    if model_name not in _KINDS:
        raise ValueError(f"there is no model {model_name!r} here, but {' and '.join(_KINDS)}")
    return _KINDS[model_name]


class _ImageModel(Model):
    """What FiftyOne asks of a model that reads single images."""

    @property
    def media_type(self) -> str:
        """Images."""
        return "image"

    @property
    def ragged_batches(self) -> bool:
        """Images may have different sizes."""
        return True

    @property
    def transforms(self) -> None:
        """The model reads images as they are."""
        return None

    @property
    def preprocess(self) -> bool:
        """Nothing is to be done."""
        return False


class AlignerModel(SamplesMixin, _ImageModel):
    """Boxes for the phrases of each sample's captions."""

    def __init__(self, aligner: Aligner, caption_field: str) -> None:
        super().__init__()
        self._aligner = aligner
        self.needs_fields = {"prompt_field": caption_field}

    def predict(self, arg: np.ndarray, sample: Any = None) -> fo.Detections:
        """The phrases of all captions of a sample; none without a caption."""
        captions = _captions(sample, self.needs_fields.get("prompt_field"))
        if not captions:
            return fo.Detections(detections=[])
        regions = self._aligner.regions(np.asarray(arg))
        found = [self._aligner.ground(regions, caption).to_fiftyone() for caption in captions]
        return fo.Detections(detections=[one for of_caption in found for one in of_caption.detections])


class CaptionerModel(_ImageModel):
    """A caption, and phrases for regions."""

    def __init__(self, captioner: Captioner, regions: int) -> None:
        self._captioner, self._regions = captioner, regions

    def predict(self, arg: np.ndarray) -> dict[str, Any]:
        """``caption``, a classification whose label is the sentence, and ``regions``, detections."""
        found = self._captioner.describe(np.asarray(arg), self._regions)
        return {
            "caption": fo.Classification(label=found.caption, confidence=found.score),
            "regions": found.to_fiftyone(),
        }


def _captions(sample: Any, field: str | None) -> list[str]:
    value = None if sample is None or field is None else sample[field]
    value = getattr(value, "label", value)
    texts: Iterable[Any] = [value] if isinstance(value, str) else value or []
    return [text for text in texts if isinstance(text, str) and text.strip()]

"""Models of transformers from the hub or a folder: config, weights, and how their processor prepares pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any, NamedTuple

import torch

from phrasebox.errors import ModelError, PhraseboxError
from phrasebox.io.offline import is_offline
from phrasebox.regions.backbone_names import HF, existing_folder, folder_in, not_loaded

CLIP_LIKE, SIGLIP_LIKE = ("clip", "metaclip_2"), ("siglip", "siglip2")
IMAGE_TEXT = (*CLIP_LIKE, *SIGLIP_LIKE, "tipsv2")
"""``model_type`` of the models that read images and texts and whose patches are brought into the texts' space."""

_OLDEST = 5  # version of transformers whose modules are as they are used here
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


class Pixels(NamedTuple):
    """How a model's processor prepares pixels.

    Attributes
    ----------
    mean, std : tuple of float
        In pixel values, 0 to 255.
    side : int or None
        Of the square that the processor makes, in pixels.
    resample : int
        Pillow's number of the filter.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    side: int | None
    resample: int


def load_config(name: str) -> Any:
    """The config of a model.

    Raises
    ------
    ModelError
        If it cannot be had, or transformers is older than version 5.
    """
    from transformers import AutoConfig

    if int(metadata.version("transformers").partition(".")[0]) < _OLDEST:
        raise ModelError(f"{name} needs transformers {_OLDEST} or newer; run: pip install -U transformers")
    source, options = where(name)
    with reading(name):
        return AutoConfig.from_pretrained(source, **options)


def load_whole(name: str, pretrained: bool = True) -> Any:
    """An image-text model, both sides of it, in evaluation mode and float32.

    Raises
    ------
    ModelError
        If it cannot be had.
    """
    from transformers import AutoModel

    source, options = where(name)
    with reading(name):
        if pretrained:
            return _loaded(AutoModel, name, source, options)
        return AutoModel.from_config(load_config(name)).eval()


def load_backbone_of(name: str, config: Any, stages: list[int], pretrained: bool = True) -> Any:
    """A model that gives feature maps, of these stages.

    Raises
    ------
    ModelError
        If it cannot be had, or is of a kind that gives no maps.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_BACKBONE_MAPPING as WITH_MAPS

    if type(config) not in WITH_MAPS:
        kinds = sorted({kind.model_type for kind in WITH_MAPS})
        raise ModelError(
            f"{name} is of the kind {config.model_type!r}, which gives no feature maps; those that do: "
            f"{', '.join(IMAGE_TEXT)}, {', '.join(kinds)}"
        )
    source, options = where(name)
    kind: Any = WITH_MAPS[type(config)]
    with reading(name):
        config.out_indices = stages
        return _loaded(kind, name, source, {**options, "config": config}) if pretrained else kind(config).eval()


def _loaded(kind: Any, name: str, source: str, options: dict[str, Any]) -> Any:
    """The model, with all its weights."""
    model, found = kind.from_pretrained(source, dtype=torch.float32, output_loading_info=True, **options)
    if missing := sorted(found["missing_keys"]):
        raise ModelError(f"the weights of {name} lack {', '.join(missing[:3])}; name another copy of the model")
    return model.eval()


def where(name: str) -> tuple[str, dict[str, Any]]:
    """What transformers loads a model by: a folder or an id, and options.

    Code that comes with a model is never run.
    """
    folder = existing_folder(name)
    if folder is not None:
        return str(folder), {"local_files_only": True}
    source, _, revision = name.removeprefix(HF).partition("@")
    return source, {"local_files_only": is_offline(), **({"revision": revision} if revision else {})}


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what the library raises into one line; it reads folders in silence, and shows how far it is with the hub.

    Raises
    ------
    ModelError
        As `phrasebox.regions.backbone_names.not_loaded`.
    """
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.set_verbosity_error()
    if folder_in(name) is not None:
        logging.disable_progress_bar()
    try:
        yield
    except PhraseboxError:
        raise
    except Exception as error:  # whatever the hub or the file system raised
        raise not_loaded(name, error) from error
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def load_pixels(name: str) -> Pixels:
    """What the model's processor does to pixels.

    Raises
    ------
    ModelError
        If the model comes without the config of a processor.
    """
    from transformers import AutoImageProcessor

    source, options = where(name)
    folder = existing_folder(name)
    if folder is not None and not any((folder / file).exists() for file in _PROCESSORS):
        raise ModelError(f"{folder} has no {_PROCESSORS[0]}, which says how pixels are scaled")
    with reading(name):
        processor = AutoImageProcessor.from_pretrained(source, **options)
    step = processor.rescale_factor if processor.do_rescale else 1.0
    normal = processor.do_normalize
    mean, std = (processor.image_mean, processor.image_std) if normal else ([0.0] * 3, [1.0] * 3)
    return Pixels(
        tuple(value / step for value in mean),
        tuple(value / step for value in std),
        _side(processor),
        int(processor.resample),
    )


def _side(processor: Any) -> int | None:
    """The side of the square that a processor makes; of as many patches for one that keeps the aspect ratio."""
    patches = getattr(processor, "max_num_patches", None)
    if patches:
        return int(patches**0.5) * processor.patch_size
    crop = getattr(processor, "crop_size", None) if getattr(processor, "do_center_crop", False) else None
    size = crop or processor.size or {}
    return size["height"] if "height" in size else size.get("shortest_edge")

"""The classifier of a backbone without the rest of it: the names of its classes, and the logits of region vectors."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phrasebox.errors import ModelError
from phrasebox.regions.backbone_names import WITH_TEXT, family_of

if TYPE_CHECKING:
    from torch import Tensor

Names = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Classifier:
    """What a backbone knows about pooled vectors.

    Attributes
    ----------
    head : callable
        ``(N, D)`` vectors -> ``(N, C)`` logits.
    width : int
        D.
    names : tuple of tuple of str
        The names of each of the C classes, synonyms beside one another.
    """

    head: Any
    width: int
    names: tuple[Names, ...]

    def logits(self, vectors: Tensor) -> Tensor:
        """(N, D) float32 -> (N, C)."""
        import torch

        with torch.inference_mode():
            return self.head(vectors)


def load_classifier(name: str) -> Classifier | None:
    """The classifier of a backbone; None if it has none, or one whose classes have no names.

    A packaged backbone's is read without its network. A fine-tuned backbone has that of the network it was made of.

    Parameters
    ----------
    name : str
        As for `phrasebox.regions.backbones.load_backbone`.

    Raises
    ------
    ModelError, SettingsError
        If the backbone cannot be loaded.
    """
    from phrasebox.regions.backbones.backbone import load_network
    from phrasebox.regions.backbones.finetuned import base_of, is_tuned
    from phrasebox.regions.backbones.packaged import PACKAGED, load_packaged_head

    if family_of(name) in WITH_TEXT:  # their towers have no classifier of pooled patches
        return None
    if is_tuned(name):
        return load_classifier(base_of(name))
    if name in PACKAGED:
        head = load_packaged_head(name)
        return Classifier(head, head.in_features, imagenet_names())
    network = load_network(name)
    names = _timm_names(network.head.net) if network.head is not None else None  # type: ignore[union-attr]
    return Classifier(network.head, network.dim, names) if names else None


@cache
def imagenet_names() -> tuple[Names, ...]:
    """The names of the 1,000 classes of ImageNet, from the lists inside timm's package: importing it takes a second.

    Raises
    ------
    ModelError
        If the installed timm has no such lists.

    Examples
    --------
    >>> imagenet_names()[281]
    ('tabby', 'tabby cat')
    """
    try:
        lemmas = synset_names()
        return tuple(lemmas[synset] for synset in (_timm_lists() / "imagenet_synsets.txt").read_text().split())
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"the names of ImageNet's classes cannot be read from timm ({error}); reinstall it, or use --prior 0"
        ) from error


def synset_names() -> dict[str, Names]:
    """The names of the 21,000 synsets of WordNet in the lists inside timm's package, by their ids such as n02123045.

    Raises
    ------
    OSError, ValueError
        If there is no such list, or it is another one.
    """
    return {synset: _synonyms(names) for synset, names in _synset_table("lemma").items()}


def synset_definitions() -> dict[str, str]:
    """The definitions of the same synsets; raised is the same."""
    return _synset_table("definition")


def _synset_table(name: str) -> dict[str, str]:
    with (_timm_lists() / f"imagenet_synset_to_{name}.txt").open(encoding="utf-8", newline="") as file:
        return dict(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _timm_lists() -> Path:
    found = find_spec("timm")
    assert found is not None  # a dependency
    return Path(str(found.origin)).parent / "data" / "_info"


def _timm_names(net: Any) -> tuple[Names, ...] | None:
    """The names that a timm model has in its config, else those of the ImageNet classes that it has as many of."""
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

    classes, config = net.num_classes, net.pretrained_cfg
    labels = config.get("label_names")
    if labels:
        told = config.get("label_descriptions") or {}
        by_class = {int(c): n for c, n in labels.items()} if isinstance(labels, dict) else dict(enumerate(labels))
        return tuple(_synonyms(told.get(by_class[c], by_class[c])) if c in by_class else () for c in range(classes))
    subset = infer_imagenet_subset(net)
    return tuple(map(_synonyms, ImageNetInfo(subset).label_descriptions())) if subset else None


def _synonyms(description: str) -> Names:
    return tuple(name for part in description.split(",") if (name := part.strip().replace("_", " ")))

"""Licences of the weights of backbones, by their names; a local copy of a model says its own in its card."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from phrasebox.regions.backbone_names import TIMM, family_of, folder_in

UNKNOWN = "see its card"


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence of weights.

    Attributes
    ----------
    name : str
    commercial : bool
        Whether it allows commercial use.
    gated : bool
        Whether the hub asks to accept it first.
    """

    name: str
    commercial: bool = True
    gated: bool = False

    def __str__(self) -> str:
        notes = [note for note, holds in (("non-commercial", not self.commercial), ("gated", self.gated)) if holds]
        return ", ".join([self.name, *notes])


_APACHE, _MIT, _DINO3 = Licence("Apache-2.0"), Licence("MIT"), Licence("DINOv3 License", gated=True)
_NC, _APPLE = Licence("CC-BY-NC-4.0", commercial=False), Licence("Apple AMLR", commercial=False)

LICENCES = {
    "hf:facebook/dinov3-*": _DINO3,
    "timm:*dinov3*": Licence("DINOv3 License"),
    "hf:facebook/dinov2-*": _APACHE,
    "hf:google/siglip-*": _APACHE,
    "hf:google/siglip2-*": _APACHE,
    "hf:google/tipsv2-*": _APACHE,
    "hf:openai/clip-*": _MIT,
    "hf:laion/CLIP-*": _MIT,
    "hf:facebook/metaclip-*": _NC,
    "open_clip:*/openai": _MIT,
    "open_clip:*/laion*": _MIT,
    "open_clip:*/datacomp*": _MIT,
    "open_clip:*/webli": _APACHE,
    "open_clip:*/metaclip*": _NC,
    "open_clip:*/dfn*": _APPLE,
}
"""Patterns of names; the first that fits a name counts."""

_STATED = re.compile(r"^license(?:_name)?:[ \t]*['\"]?([\w.\-]+)", re.MULTILINE)
_CARD = 1 << 16  # characters of a card that are read
_RESTRICTED = re.compile(r"(^|-)nc(-|$)|amlr|non-?commercial|research", re.IGNORECASE)


def licence_of(backbone: str) -> Licence | None:
    """The licence of a backbone's weights; None if nothing here says it.

    Examples
    --------
    >>> str(licence_of("hf:facebook/dinov3-vits16-pretrain-lvd1689m")), str(licence_of("open_clip:ViT-B-16/openai"))
    ('DINOv3 License, gated', 'MIT')
    >>> str(licence_of("efficientnet-lite2")), licence_of("timm:resnet50")
    ('Apache-2.0', None)
    """
    if not family_of(backbone):
        return _APACHE
    return _stated(backbone) or next((one for name, one in LICENCES.items() if fnmatchcase(backbone, name)), None)


def told(backbone: str) -> str:
    """The licence of a backbone's weights in words.

    >>> told("timm:resnet50"), told("hf:owner/name")
    ('see its card in timm', 'see its card')
    """
    found = licence_of(backbone)
    return str(found) if found else f"{UNKNOWN} in timm" if family_of(backbone) == TIMM else UNKNOWN


def _stated(backbone: str) -> Licence | None:
    """What the front matter of the card in a model's folder states."""
    folder = folder_in(backbone)
    card = folder / "README.md" if folder else None
    if card is None or not card.is_file():
        return None
    text = card.read_text(encoding="utf-8", errors="replace")[:_CARD]
    front = text.split("---", 2)[1] if text.startswith("---") and text.count("---") > 1 else ""
    names = [name for name in _STATED.findall(front) if name != "other"]
    return Licence(names[-1], not _RESTRICTED.search(names[-1])) if names else None

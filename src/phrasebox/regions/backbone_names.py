"""Names of backbones that come from other libraries: ``timm:``, ``open_clip:`` and ``hf:``, from a hub or a folder."""

from __future__ import annotations

from pathlib import Path

from phrasebox.errors import ModelError

TIMM, OPEN_CLIP, HF = "timm:", "open_clip:", "hf:"
FAMILIES = (TIMM, OPEN_CLIP, HF)
WITH_TEXT = (OPEN_CLIP, HF)
"""Families of which some models read texts too."""

_LOCAL = "local-dir:"  # what timm writes before a folder


def family_of(name: str) -> str:
    """The prefix of a name; empty for a packaged backbone or the folder of a fine-tuned one.

    >>> family_of("hf:google/siglip2-base-patch16-224"), family_of("efficientnet-lite2")
    ('hf:', '')
    """
    return next((prefix for prefix in FAMILIES if name.startswith(prefix)), "")


def folder_in(name: str) -> Path | None:
    """The folder that a name with a prefix means, whether or not it is there; None if it means a model of a hub.

    A relative path is one if it begins with ``.`` or the folder exists.

    >>> folder_in("hf:/models/clip"), folder_in("hf:google/siglip2-base-patch16-224")
    (PosixPath('/models/clip'), None)
    """
    source = name.removeprefix(family_of(name))
    if source.startswith(_LOCAL):
        return Path(source.removeprefix(_LOCAL))
    if not family_of(name) or family_of(name) == TIMM or not source:
        return None
    written_as_path = source.startswith(("/", ".", "~"))
    path = Path(source).expanduser()
    return path if written_as_path or path.is_dir() else None


def with_folder(name: str, folder: Path) -> str:
    """The name of the same model in another folder."""
    local = _LOCAL if name.removeprefix(family_of(name)).startswith(_LOCAL) else ""
    return f"{family_of(name)}{local}{folder}"


def absolute(name: str) -> str:
    """The name with the whole path of its folder, so that it means the same from every working directory.

    >>> absolute("hf:google/siglip2-base-patch16-224"), absolute("timm:resnet50")
    ('hf:google/siglip2-base-patch16-224', 'timm:resnet50')
    """
    folder = folder_in(name)
    return name if folder is None else with_folder(name, folder.absolute())


def existing_folder(name: str) -> Path | None:
    """`folder_in`, checked.

    Raises
    ------
    ModelError
        If the folder is not there.
    """
    folder = folder_in(name)
    if folder is not None and not folder.is_dir():
        raise ModelError(
            f"there is no folder {folder} of {name}; put the model there, or into the folder networks of the aligner "
            f"that needs it, as networks/{folder.name}"
        )
    return folder


def not_loaded(name: str, error: Exception) -> ModelError:
    """What to say in one line when a library could not load a model, whatever it raised."""
    kinds = {kind.__name__ for each in _causes(error) for kind in type(each).__mro__}
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    if kinds & {"GatedRepoError"}:
        return ModelError(
            f"{name} is gated: accept its licence on the hub, then log in with: hf auth login, or name a folder that "
            "holds its files"
        )
    offline = {"LocalEntryNotFoundError", "OfflineModeIsEnabled", "OfflineError"}
    if kinds & offline:
        return ModelError(
            f"{name} is not on this machine; load it once without --offline, or name a folder that holds its files"
        )
    return ModelError(f"cannot load {name}: {reason}; name a model of the hub, or a folder with its config and weights")


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in found:
        found.append(step)
        step = step.__cause__ or step.__context__
    return found

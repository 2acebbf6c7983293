"""The base of the public models: load, save and upload a folder of weights, config and card."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from phrasebox.errors import ModelError
from phrasebox.io.arguments import is_url, shown
from phrasebox.io.model_folder import CONFIG, find_model, read_config, read_weights, write_model
from phrasebox.models.cards import model_card
from phrasebox.models.skipping import without_init
from phrasebox.models.upload import upload
from phrasebox.regions.compatibility import check_regions, networks_here
from phrasebox.regions.settings import RegionSettings, settings_inside, settings_with
from phrasebox.workspace.arguments import HasFolder, folder_of
from phrasebox.workspace.workspace import Workspace

if TYPE_CHECKING:
    from typing import Self

    from phrasebox.regions.extractor import RegionExtractor

BUILT_IN_NAME = "built-in"


def model_folder(source: str | Path | None, built_in: Path) -> Path:
    """The folder of the model named; ``built_in`` without a name, or with ``built-in``.

    Raises
    ------
    ModelError
        As `phrasebox.io.model_folder.find_model`.
    """
    return built_in if source is None or source == BUILT_IN_NAME else find_model(source)


def model_source(ws: Workspace, name: str, source: str | Path | None) -> str | Path | None:
    """The model to use on a workspace: ``source``, else the one called ``name`` in it, else None, the built-in one."""
    trained = ws.models / name
    return source or (trained if (trained / CONFIG).exists() else None)


class SavedModel(ABC):
    """A network that reads regions, with what is saved beside its weights."""

    kind: ClassVar[str]
    "What config.json calls it."
    name: ClassVar[str]
    "Its name in messages, and its default name in a workspace."
    command: ClassVar[str]
    "The command that trains one."
    built_in: ClassVar[Path]
    "Folder of the model that comes with the package."
    first_network_only: ClassVar[bool] = False
    "Whether it reads the vectors of the first backbone only."

    model: Any
    region_settings: RegionSettings
    about: dict[str, Any]
    device: str
    workers: int
    source: str

    def __repr__(self) -> str:
        source = self.source or "not saved"
        return f"{type(self).__name__}({source!r}, {self.model.settings.dim} dimensions, device={self.device!r})"

    @classmethod
    @abstractmethod
    def _from_config(cls, config: dict[str, Any], regions: RegionSettings, about: dict[str, Any]) -> Self:
        """The object that a config describes; called with tensors on the ``meta`` device."""

    @abstractmethod
    def _own_config(self) -> dict[str, Any]:
        """The part of the config beside ``kind``, ``model`` and ``regions``."""

    @classmethod
    def load(cls, source: str | Path | None = None, device: str = "cpu", workers: int = 2) -> Self:
        """The built-in model, or one from a folder or the hub.

        Parameters
        ----------
        source : path or hub id, optional
            Without it, or with ``built-in``, the model that comes with the package.
        device : str
            A torch device.
        workers : int
            Processor threads for making regions.

        Raises
        ------
        ModelError
            If the folder is incomplete, damaged, or of another kind of model.
        """
        if source is not None and (is_url(source) or not isinstance(source, str | Path)):
            raise ModelError(f"the model is {shown(source)}; give a folder or a hub id, such as owner/name")
        folder = model_folder(source, cls.built_in)
        if folder == cls.built_in and not folder.is_dir():
            raise ModelError(
                f"this installation has no built-in {cls.name}; train one with: phrasebox {cls.command} WS"
            )
        loaded = cls._read(folder, device)
        loaded.device, loaded.workers = device, workers
        loaded.source = BUILT_IN_NAME if source is None else str(source)
        return loaded

    @classmethod
    def _read(cls, folder: Path, device: str) -> Self:
        import torch

        config = read_config(folder, cls.kind)
        try:
            about = config.get("about", {})
            if not isinstance(about, dict):
                raise ValueError("about is no table")
            # Whatever size the config asks for, nothing is allocated before the file agrees.
            with torch.device("meta"), without_init():
                loaded = cls._from_config(config, settings_inside(folder, config["regions"]), about)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
            noun = f"{'an' if cls.name[0] in 'aeiou' else 'a'} {cls.name}"
            raise ModelError(f"the config of {folder} does not describe {noun} of this version: {error}") from error
        read_weights(folder, loaded.model)
        loaded.model = loaded.model.eval().to(device)
        return loaded

    @classmethod
    def from_pretrained(cls, source: str | Path, device: str = "cpu", workers: int = 2) -> Self:
        """`load` by the name that libraries around the hub give it; the model is to be named.

        Parameters
        ----------
        source : path or hub id
            A model's folder, or a data set's that has its model inside; ``owner/name`` or ``owner/name@revision`` on
            the hub.
        """
        return cls.load(source, device, workers)

    @classmethod
    def for_workspace(
        cls, ws: Workspace | HasFolder, source: str | Path | None = None, device: str = "cpu", workers: int = 2
    ) -> Self:
        """The model to use on a workspace: the one named, else the one trained in it, else the built-in one.

        Raises
        ------
        ModelError
            If the workspace's regions were not made the way the model's were.
        """
        folder = folder_of(ws)
        loaded = cls.load(model_source(folder, cls.name, source), device, workers)
        check_regions(folder, loaded.region_settings, cls.name, cls.command, cls.first_network_only)
        loaded.region_settings = networks_here(loaded.region_settings, folder)
        return loaded

    @property
    def config(self) -> dict[str, Any]:
        """All but the weights, as plain values."""
        regions = asdict(self.region_settings)
        return {"kind": self.kind, "model": asdict(self.model.settings), "regions": regions, **self._own_config()}

    def save(self, folder: str | Path, card: str = "") -> None:
        """Write config, half-precision safetensors and a card, by default `model_card`, into ``folder``."""
        config = {**self.config, "regions": settings_with(Path(folder), self.region_settings)}
        write_model(Path(folder), config, self.model.state_dict(), card or model_card(config))

    def save_pretrained(self, folder: str | Path) -> None:
        """`save` by the name that libraries around the hub give it."""
        self.save(folder)

    def push_to_hub(self, repo_id: str, private: bool = False, token: str | None = None) -> str:
        """Upload the model to the Hugging Face hub; returns the URL of the commit.

        Parameters
        ----------
        repo_id : str
            ``owner/name``; created if it does not exist.
        private : bool
            Whether a new repository is visible to its owner only.
        token : str, optional
            An access token; by default that of ``hf auth login``.

        Raises
        ------
        OfflineError
            If the network must not be used.
        ModelError
            If the hub cannot be reached or refuses the upload.
        """
        return upload(repo_id, self.save, "model", private, token)

    @cached_property
    def _extractor(self) -> RegionExtractor:
        from phrasebox.regions.extractor import RegionExtractor

        return RegionExtractor(self.region_settings, self.device, self.workers)

"""The workspace as users open it: `phrasebox.Workspace`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from phrasebox.io import notebook
from phrasebox.models.upload import upload
from phrasebox.types import GroundedImage, Regions, Skipped
from phrasebox.workspace.schema import ImageRow
from phrasebox.workspace.workspace import Workspace as WorkspaceFolder

if TYPE_CHECKING:
    from phrasebox.aligner import Aligner


class Workspace:
    """The workspace folder of a data set; what the commands wrote into it can be read here.

    The functions of the stages, `Searcher.open` and `Aligner.for_workspace` take it.

    Parameters
    ----------
    path : str or Path
        The folder; also in an object store, at s3://, gs:// or az://.

    Raises
    ------
    WorkspaceError
        If the folder is not a workspace, or was made by a newer version.
    """

    def __init__(self, path: str | Path) -> None:
        self._folder = WorkspaceFolder(path)

    @classmethod
    def create(cls, path: str | Path) -> Self:
        """Open the workspace at ``path``, or make one there.

        Raises
        ------
        WorkspaceError
            If the path is a file, or a folder with something else in it.
        """
        return cls(WorkspaceFolder.create(path).path)

    def __repr__(self) -> str:
        return repr(self._folder)

    def _repr_html_(self) -> str:
        models = sorted(folder.name for folder in self.models.iterdir()) if self.models.is_dir() else []
        counts = [(table, f"{self.count(table):,}") for table in ("images", "regions", "phrases", "reviewed")]
        done = [("stages", ", ".join(self.stages) or "none"), ("models", ", ".join(models) or "the built-in ones")]
        return notebook.block(str(self.path), notebook.table([*counts, *done]))

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder.path

    @property
    def models(self) -> Path:
        """The folder of trained models."""
        return self._folder.models

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Stage -> the settings that it was run with."""
        return self._folder.stages

    def count(self, table: str, split: str | None = None) -> int:
        """Number of rows of a table: images, truth, own (user boxes), regions, phrases or reviewed."""
        return self._folder.count(table, split)

    def images(self, split: str | None = None) -> Iterator[ImageRow]:
        """Images with their captions, in import order."""
        for batch in self._folder.images(split):
            yield from batch

    def regions(self, split: str | None = None) -> Iterator[Regions]:
        """Regions with vectors of the images that have any, in import order."""
        for batch in self._folder.regions(split):
            yield from batch

    def grounded(self, split: str | None = None) -> Iterator[GroundedImage]:
        """Images with the phrases of their captions and the boxes of these, as reviewers left them, in import order."""
        return self._folder.grounded(split)

    def skipped(self, stage: str) -> list[Skipped]:
        """The items that a stage, such as ``import``, left out, with the reasons."""
        return self._folder.skipped(stage)

    def push_to_hub(
        self,
        repo_id: str,
        private: bool = False,
        token: str | None = None,
        aligner: Aligner | None = None,
        min_confidence: float = 0.0,
        parts_only: bool = False,
    ) -> str:
        """Upload the region-phrase pairs, the model and their cards as a data set; returns the URL of the commit.

        `datasets.load_dataset` and `Aligner.from_pretrained` both open it. What is uploaded is what
        ``phrasebox export WS --hub-folder`` writes.

        Parameters
        ----------
        repo_id : str
            ``owner/name``; created if it does not exist.
        private : bool
            Whether a new repository is visible to its owner only.
        token : str, optional
            An access token; by default that of ``hf auth login``.
        aligner : Aligner, optional
            The model that made the phrases, if that is not the workspace's own or the built-in one.
        min_confidence, parts_only
            As for `phrasebox.stages.export`.

        Raises
        ------
        OfflineError
            If the network must not be used.
        ModelError
            If the hub cannot be reached or refuses the upload.
        WorkspaceError
            If nothing has been grounded, or with another model.
        """
        from phrasebox.aligner import Aligner
        from phrasebox.stages.hub import fill_hub_folder

        model = aligner or Aligner.for_workspace(self._folder)
        return upload(
            repo_id,
            lambda folder: fill_hub_folder(self._folder, model, folder, min_confidence, parts_only),
            "dataset",
            private,
            token,
        )

"""The workspace as users open it: `phrasebox.Workspace`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phrasebox.models.upload import upload
from phrasebox.workspace.workspace import Workspace as WorkspaceFolder

if TYPE_CHECKING:
    from phrasebox.aligner import Aligner


class Workspace(WorkspaceFolder):
    """A workspace folder that can be uploaded; otherwise `phrasebox.workspace.workspace.Workspace`."""

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

        model = aligner or Aligner.for_workspace(self)
        return upload(
            repo_id,
            lambda folder: fill_hub_folder(self, model, folder, min_confidence, parts_only),
            "dataset",
            private,
            token,
        )

"""Upload a folder to the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from phrasebox.errors import ModelError, OfflineError
from phrasebox.io.offline import is_offline


def upload(
    repo_id: str, fill: Callable[[Path], object], kind: Literal["model", "dataset"], private: bool, token: str | None
) -> str:
    """Create a repository if it does not exist, upload a folder that ``fill`` writes, return the URL of the commit.

    Raises
    ------
    OfflineError
        If the network must not be used.
    ModelError
        If the hub cannot be reached or refuses the upload.
    """
    if is_offline():
        raise OfflineError(f"{repo_id} cannot be uploaded: --offline, or HF_HUB_OFFLINE, forbids the network")
    from huggingface_hub import HfApi

    with TemporaryDirectory(prefix="phrasebox-upload-") as temporary:
        folder = Path(temporary) / kind
        fill(folder)
        try:
            hub = HfApi(token=token)
            hub.create_repo(repo_id, private=private, exist_ok=True, repo_type=kind)
            commit = hub.upload_folder(
                repo_id=repo_id, folder_path=str(folder), commit_message=f"Upload the {kind}", repo_type=kind
            )
            return str(commit)
        except Exception as error:  # the hub client raises many kinds
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ModelError(f"{repo_id} could not be uploaded ({reason})") from error

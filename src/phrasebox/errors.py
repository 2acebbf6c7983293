"""Exceptions of the package; each message is one line that says what is wrong and what to do."""

from __future__ import annotations


class PhraseboxError(Exception):
    """Base of every error a user can cause; the command line prints its text and exits with 1."""


class DataError(PhraseboxError):
    """Invalid input data: a file, a caption, a box."""


class ModelError(PhraseboxError):
    """A model folder is incomplete, damaged, or incompatible with its use."""


class WorkspaceError(PhraseboxError):
    """The workspace lacks something that the operation needs, or is in use."""


class NotFoundError(PhraseboxError):
    """The named image, phrase, workspace or model does not exist."""


class SettingsError(PhraseboxError, ValueError):
    """Settings that contradict each other or lie outside their range."""


class PeerError(PhraseboxError):
    """Another process of a distributed training has ended or does not answer."""


class OfflineError(PhraseboxError):
    """Network access is needed but turned off."""


class StoreError(PhraseboxError):
    """An object store failed or denied access."""


class MissingExtraError(PhraseboxError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'phrasebox[{extra}]'")

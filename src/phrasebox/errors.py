"""The package's own exceptions: one line each, saying what was wrong with what, and what to do."""

from __future__ import annotations


class PhraseboxError(Exception):
    """Base of every error a user can cause; the command line prints its text and exits with 1."""


class DataError(PhraseboxError):
    """Something given from outside cannot be read: a file, a caption, a box."""


class ModelError(PhraseboxError):
    """A model folder is incomplete, damaged, or does not fit what it is used with."""


class WorkspaceError(PhraseboxError):
    """The workspace is missing something that the operation needs, or is in use."""


class NotThereError(PhraseboxError):
    """What was asked for by its name is not there: an image of a workspace, a phrase, a part of a service."""


class SettingsError(PhraseboxError, ValueError):
    """Settings that contradict each other or lie outside their range."""


class PeerError(PhraseboxError):
    """Another of the processes that work together is gone."""


class OfflineError(PhraseboxError):
    """The network was asked for something and must not be used."""


class StoreError(PhraseboxError):
    """An object store fails or refuses."""


class MissingExtraError(PhraseboxError):
    """An optional part is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'phrasebox[{extra}]'")

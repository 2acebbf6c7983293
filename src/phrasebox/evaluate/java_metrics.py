"""METEOR and SPICE, which run in Java and come with the extra ``caption-metrics``."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phrasebox.errors import PhraseboxError


class UnavailableError(PhraseboxError):
    """A metric cannot be measured on this machine."""


def meteor(captions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """METEOR (Banerjee and Lavie, 2005) of all captions, between 0 and 1.

    Parameters
    ----------
    captions : sequence of str
        One for each item, tokenised, with spaces between tokens.
    references : sequence of sequences of str
        At least one for each item.

    Raises
    ------
    UnavailableError
        If pycocoevalcap or Java is missing, or the Java program fails.
    """
    _check_installed()
    from pycocoevalcap.meteor.meteor import Meteor

    scorer: Any = None
    try:
        scorer = Meteor()
        return _score(scorer, captions, references)
    except (OSError, ValueError) as error:  # the Java process ended, or printed something else than a number
        raise UnavailableError(f"METEOR's Java program failed ({type(error).__name__})") from error
    finally:
        if scorer is not None:
            scorer.meteor_p.kill()
            scorer.meteor_p.wait()
            if scorer.lock.locked():  # a failed call leaves it locked, and the scorer's destructor waits for it
                scorer.lock.release()


def spice(captions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """SPICE (Anderson et al., 2016) of all captions, between 0 and 1; parameters and errors are those of `meteor`.

    Raises
    ------
    UnavailableError
        Also if Stanford CoreNLP is missing, which pycocoevalcap would download (400 MB) without asking.
    """
    _check_installed()
    from pycocoevalcap.spice import spice as package

    if not list((Path(package.__file__).parent / "lib").glob("stanford-corenlp-*-models.jar")):
        raise UnavailableError(
            "Stanford CoreNLP is not there; fetch it with: python -c 'from pycocoevalcap.spice.get_stanford_models "
            "import get_stanford_models; get_stanford_models()'"
        )
    try:
        return _score(package.Spice(), captions, references)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise UnavailableError(f"SPICE's Java program failed ({type(error).__name__})") from error


def _check_installed() -> None:
    if importlib.util.find_spec("pycocoevalcap") is None or shutil.which("java") is None:
        raise UnavailableError("install phrasebox[caption-metrics] and Java")


def _score(scorer: Any, captions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        found, _ = scorer.compute_score(dict(enumerate(references)), {i: [text] for i, text in enumerate(captions)})
    return float(found)

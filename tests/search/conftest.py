"""A small workspace, and the aligners that search it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from phrasebox.workspace.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parent))

from small_images import add_images, make_aligner


@pytest.fixture
def ws(tmp_path):
    """Forty images with captions and regions."""
    made = Workspace.create(tmp_path / "ws")
    add_images(made, range(40))
    return made


@pytest.fixture(scope="session")
def aligner():
    """Cosines, the mean over words, and a bank."""
    return make_aligner()


@pytest.fixture(scope="session")
def paper():
    """Dot products of vectors of any length, the sum over words, no bank."""
    model = make_aligner(bank=False, encoder="brnn", words="minilm:static", normalise=False, mean=False, geometry=False)
    return replace(model, region_settings=replace(model.region_settings, proposer="grid"))

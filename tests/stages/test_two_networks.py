"""Regions whose vectors two networks made: each has a head of the aligner, and the captioner reads the first alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phrasebox.aligner import Aligner
from phrasebox.captioner import Captioner
from phrasebox.workspace.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")
SECOND = ("--second", "efficientnet-lite0", "--second-size", "64")
QUICK = ("--epochs", "1", "--reward-epochs", "0", "--batch", "2", "--dim", "16", "--min-count", "1", "--data", "images")


@pytest.fixture
def two(at, call):
    ws = at("imported")
    assert call("regions", ws, *SMALL, *SECOND, "--quiet").code == 0
    return ws


def test_the_aligner_has_a_head_for_each(two, call):
    assert call("align", two, "--epochs", "1", "--batch", "2", "--dim", "16", "--quiet").code == 0
    aligner = Aligner.load(two / "models/aligner")
    assert aligner.model.settings.parts == (1280, 1280)
    assert len(aligner.model.heads) == 2
    assert call("ground", two, "--quiet").code == 0
    (first, *_), *_ = Workspace(two).regions()
    assert first.vectors is not None
    assert first.vectors.shape == (27, 2560)
    v, _ = aligner.embed_regions([first])
    torch.testing.assert_close(v[..., :16].norm(dim=2), torch.ones(1, 27))  # class names follow
    told = call("reproduce", two).out
    assert "--second efficientnet-lite0" in told
    assert "--second-size 64" in told


def test_the_papers_aligner_has_one(two, call):
    options = ("--preset", "paper", "--epochs", "1", "--batch", "2", "--dim", "16", "--name", "paper")
    assert call("align", two, *options, "--quiet").code == 0
    settings = Aligner.load(two / "models/paper").model.settings
    assert (settings.parts, settings.vector_dim) == ((), 2560)


@pytest.mark.parametrize("memory", [(), ("--memory", "1MB")], ids=["in memory", "read as needed"])
def test_the_captioner_reads_the_first(memory, two, call):
    assert call("caption", two, *QUICK, *memory, "--quiet").code == 0
    captioner = Captioner.load(two / "models/captioner")
    assert captioner.model.settings.vector_dim == 1280
    assert captioner.region_settings.second == ""
    (found, *_), *_ = Workspace(two).regions()
    alone = found.narrowed(1280)
    assert np.shares_memory(alone.vectors, found.vectors)
    assert captioner.describe(found).caption == captioner.describe(alone).caption
    assert call("evaluate", two, "--captions-only", "--quiet").code == 0

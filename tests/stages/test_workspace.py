"""`phrasebox.Workspace`: what users see of a workspace folder, and what takes it."""

from __future__ import annotations

import pytest

import phrasebox as pb
from phrasebox.errors import DataError
from phrasebox.search import Searcher
from phrasebox.stages.align import align
from phrasebox.stages.export import export
from phrasebox.stages.ground import ground
from phrasebox.stages.import_ import import_source
from phrasebox.stages.regions import make_regions
from phrasebox.workspace.arguments import folder_of

PUBLIC = {"count", "create", "grounded", "images", "models", "path", "push_to_hub", "regions", "skipped", "stages"}


def test_its_members_are_few():
    assert {name for name in dir(pb.Workspace) if not name.startswith("_")} == PUBLIC


def test_it_reads_what_the_commands_wrote(at):
    ws = pb.Workspace(at("ground"))
    images = list(ws.images())
    assert len(images) == ws.count("images") == 5
    assert [row.key for row in ws.images("val")] == [row.key for row in images if row.split == "val"]
    regions = list(ws.regions())
    assert [found.key for found in regions] == [row.key for row in images]
    assert all(found.vectors is not None for found in regions)
    grounded = list(ws.grounded())
    assert sum(len(caption.phrases) for image in grounded for caption in image.captions) == ws.count("phrases") > 0
    assert [*ws.stages] == ["regions", "ground"]
    assert ws.skipped("import") == []
    assert ws.path.name in repr(ws)
    assert "5" in ws._repr_html_()


def test_stages_take_it(data, tmp_path):
    ws = pb.Workspace.create(tmp_path / "ws")
    found = import_source(ws, data / "captions.json", images=data / "images", quiet=True)
    assert found.images == ws.count("images") > 0
    assert export(ws, tmp_path / "captions.json", "coco").captions == found.captions
    assert folder_of(ws).path == folder_of(folder_of(ws)).path == ws.path


@pytest.mark.parametrize("function", [align, export, ground, import_source, make_regions, Searcher.open])
@pytest.mark.parametrize("value", ["ws", None, 3, ["ws"]])
def test_what_is_no_workspace(function, value):
    with pytest.raises(DataError, match=r"give Workspace\(FOLDER\)"):
        function(value)

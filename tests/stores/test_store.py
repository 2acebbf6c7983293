"""A workspace and images in a store: the same rows as on this machine, one writer, and errors that name the store."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from phrasebox import cli
from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.errors import OfflineError, StoreError, WorkspaceError
from phrasebox.io import store_lock as lease
from phrasebox.io.images import image_size, load_image
from phrasebox.io.paths import in_store, place
from phrasebox.io.store_lock import Lease
from phrasebox.regions.settings import RegionSettings
from phrasebox.stages.ground import ground
from phrasebox.stages.import_ import import_source
from phrasebox.stages.regions import make_regions
from phrasebox.types import Example
from phrasebox.workspace.workspace import Workspace

SETTINGS = RegionSettings(
    proposer="grid", density=27, regions=27, nms=1.0, rank="proposer", backbone="efficientnet-lite0", size=96
)


@pytest.fixture(scope="module")
def aligner():
    import torch

    torch.manual_seed(0)
    return Aligner(AlignerModel(ModelSettings(dim=16, hidden=16)).eval(), SETTINGS, beta=0.05)


@pytest.fixture
def pictures(tmp_path, store):
    """Three pictures in the store and on this machine, and captions of them; returns both folders and the captions."""
    here, rng = tmp_path / "images", np.random.default_rng(0)
    here.mkdir()
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(here / f"{i}.png")
        fsspec.filesystem("s3").put_file(str(here / f"{i}.png"), f"{store}/images/{i}.png")
    entries = [
        {"filename": f"{i}.png", "split": "train", "sentences": [{"raw": f"a red ball {i}", "tokens": ["a"]}]}
        for i in range(3)
    ]
    captions = tmp_path / "captions.json"
    captions.write_text(json.dumps({"dataset": "small", "images": entries}))
    return here, f"{store}/images", captions


def rows(ws: Workspace, table: str) -> list[dict]:
    db_table = ws._tables.open(table)
    found = db_table.to_arrow().to_pylist() if db_table else []
    for row in found:
        row.pop("path", None)
        row.pop("file", None)  # the state of an image file, which is not taken of one in a store
    return sorted(found, key=repr)


def test_every_stage_leaves_the_same_rows_as_here(pictures, store, tmp_path, aligner):
    here, there, captions = pictures
    made = {}
    for folder, images in ((tmp_path / "ws", here), (f"{store}/ws", there)):
        ws = Workspace.create(folder)
        with ws.lock():
            import_source(ws, captions, images=images, quiet=True)
            make_regions(ws, SETTINGS, workers=1, quiet=True)
            ground(ws, aligner, quiet=True)
        made[str(folder)] = Workspace(folder)
    local, remote = made.values()
    assert in_store(remote.path)
    for table in ("images", "regions", "phrases", "skipped"):
        assert rows(remote, table) == rows(local, table)
    assert remote.count("phrases") == local.count("phrases")
    assert remote.stages == local.stages
    assert [[c.text for c in g.captions] for g in remote.grounded()] == [[f"a red ball {i}"] for i in range(3)]
    with remote.lock():
        remote.claim("regions", {"other": 1}, fresh=True)
    assert Workspace(f"{store}/ws").keys("regions") == set()


def test_from_the_command_line(pictures, store, capsys):
    _, there, captions = pictures
    source = f"{store}/captions.json"
    fsspec.filesystem("s3").put_file(str(captions), source)
    cli.main(["import", source, f"{store}/ws", "--images", there, "--json"])
    assert json.loads(capsys.readouterr().out)["images"] == 3
    small = ["--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27"]
    cli.main(["regions", f"{store}/ws", *small, "--json"])
    assert json.loads(capsys.readouterr().out)["new"] == 3
    with pytest.raises(SystemExit):
        cli.main(["align", f"{store}/ws"])
    assert "no model can be trained; copy it to this machine" in capsys.readouterr().err


def test_a_model_in_the_store(store, aligner, tmp_path):
    aligner.save(tmp_path / "model")
    fsspec.filesystem("s3").put(str(tmp_path / "model"), f"{store}/model", recursive=True)
    found = Aligner.load(f"{store}/model")
    assert found.source == f"{store}/model"
    for mine, theirs in zip(found.model.parameters(), aligner.model.half().float().parameters(), strict=True):
        assert mine.equal(theirs)


def test_pictures(pictures):
    here, there, _ = pictures
    assert np.array_equal(load_image(f"{there}/1.png"), load_image(here / "1.png"))
    assert image_size(place(f"{there}/1.png")) == (60, 40)


def test_a_file_that_is_not_there_is_not_the_stores_fault(store, proxy):
    from phrasebox.errors import DataError

    with pytest.raises(DataError, match="no such file"):
        load_image(f"{store}/absent.png")
    with pytest.raises(WorkspaceError, match="is not a workspace"):
        Workspace(f"{store}/absent")


def test_one_writer_at_a_time(store, monkeypatch):
    ws = Workspace.create(f"{store}/ws")
    other = Workspace(f"{store}/ws")
    with ws.lock(), pytest.raises(WorkspaceError, match="another phrasebox command is writing"), other.lock():
        pass
    with other.lock():
        pass


def test_the_lease_of_a_killed_writer_ends(store, monkeypatch):
    ws = Workspace.create(f"{store}/ws")
    killed = Lease(ws.path)
    killed._take()  # never renewed, never given back
    with pytest.raises(WorkspaceError, match=r"or was killed; wait for it, or until \d\d:"), ws.lock():
        pass
    later = lease.time.time() + lease.SECONDS + 1
    monkeypatch.setattr(lease.time, "time", lambda: later)
    with ws.lock():
        ws.append_images([Example("a.png", Path("/a.png"))], [(2, 2)])
    steady = lease.time.monotonic() + lease.SECONDS + 1
    monkeypatch.setattr(lease.time, "monotonic", lambda: steady)
    with pytest.raises(WorkspaceError, match="another command may be writing"):
        killed.check_if_held()


def test_of_many_that_begin_at_once_one_holds_it(store):
    Workspace.create(f"{store}/ws")
    start, done, held = threading.Barrier(4), threading.Barrier(4), []

    def take():
        mine = Lease(place(f"{store}/ws"))
        start.wait()
        try:
            mine._take()
            held.append(mine)
        except WorkspaceError:
            pass
        done.wait()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 1


def test_a_store_that_fails_now_and_then_is_asked_again(pictures, store, proxy):
    _, there, captions = pictures
    ws = Workspace.create(f"{store}/ws")
    for part in ("images/", "ws/db/", "ws/manifest.json"):
        proxy.failing, proxy.only, proxy.failed = 1, part, 0
        import_source(ws, captions, images=there, quiet=True)
        assert proxy.failed == 1, part
        ws.drop("images")
    proxy.failing = 0
    assert import_source(ws, captions, images=there, quiet=True).images == 3
    assert ws.skipped("import") == []


@pytest.mark.parametrize("part", ["images/", "ws/db/", "ws/manifest.json"])
def test_a_store_that_stays_away_is_named_and_no_picture_is_left_out_for_it(pictures, store, proxy, part):
    _, there, captions = pictures
    ws = Workspace.create(f"{store}/ws")
    proxy.failing, proxy.only = -1, part
    with pytest.raises(StoreError, match=r"the store of s3://.* fails: .* run the same command again to continue"):
        import_source(ws, captions, images=there, quiet=True)
    assert proxy.failed > 1, "it was asked only once"
    proxy.failing = 0
    assert Workspace(f"{store}/ws").skipped("import") == []
    found = import_source(ws, captions, images=there, quiet=True)
    assert found.images + found.present == 3


def test_a_slow_store_is_waited_for(pictures, proxy):
    _, there, _ = pictures
    found = []
    proxy.free.clear()
    reader = threading.Thread(target=lambda: found.append(load_image(f"{there}/2.png")))
    reader.start()
    while not proxy.waited:  # the request is at the store
        reader.join(0.01)
    assert not found
    proxy.free.set()
    reader.join()
    assert found[0].shape == (40, 60, 3)


def test_offline_refuses_a_store(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for uri in ("s3://bucket/ws", "gs://bucket/ws", "az://bucket/ws"):
        with pytest.raises(OfflineError, match=f"{uri} is in a store on the network, which --offline forbids"):
            Workspace(uri)


def test_a_uri_of_this_machine(tmp_path):
    ws = Workspace.create(f"file://{tmp_path}/ws")
    assert ws.path == tmp_path / "ws"
    assert place(Path("s3:/bucket/ws/")).as_posix() == "s3://bucket/ws"

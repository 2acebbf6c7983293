"""A Ray cluster of two nodes makes what this process makes, whoever is killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import lancedb
import pytest
from mappers import DyingRegions
from small_data import write_entities

from phrasebox import cli
from phrasebox import pipeline as bulk
from phrasebox.aligner import Aligner, AlignerModel, ModelSettings
from phrasebox.pipeline import Engine
from phrasebox.pipeline.ray import ENVIRONMENT
from phrasebox.regions.settings import RegionSettings
from phrasebox.search.store import Store
from phrasebox.stages import ground as ground_job
from phrasebox.stages import regions as regions_job
from phrasebox.stages.describe import describe_folder
from phrasebox.stages.ground import ground
from phrasebox.stages.import_ import import_source
from phrasebox.stages.regions import make_regions
from phrasebox.workspace.workspace import Workspace

SETTINGS = RegionSettings(
    proposer="grid", density=27, regions=27, nms=1.0, rank="proposer", backbone="efficientnet-lite0", size=96
)
PLACES = os.pathsep.join(str(Path(__file__).parents[1] / name) for name in ("pipeline", "faults"))


@pytest.fixture(scope="module")
def cluster():
    """The address of two nodes of one core each on this machine."""
    os.environ |= ENVIRONMENT | {"PYTHONPATH": PLACES}
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 << 20}
    nodes = Cluster(initialize_head=True, head_node_args=node)
    nodes.add_node(num_cpus=1, object_store_memory=100 << 20)
    yield nodes.address
    nodes.shutdown()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The folder of an imported workspace, ws, of one with regions made here, local, and of its pictures."""
    import torch

    folder = tmp_path_factory.mktemp("bulk")
    data = write_entities(folder / "data")
    for name in ("ws", "local"):
        import_source(Workspace.create(folder / name), data, quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        _small_batches(patch)
        torch.manual_seed(0)
        local = Workspace(folder / "local")
        make_regions(local, SETTINGS, workers=1, quiet=True)
        ground(local, aligner(), quiet=True, engine=Engine(workers=1))
    return folder


@pytest.fixture(autouse=True)
def _batches(monkeypatch):
    _small_batches(monkeypatch)


def _small_batches(patch):
    patch.setattr("phrasebox.search.store._IMAGES", 2)
    patch.setattr(regions_job, "_BATCH", 2)
    patch.setattr(ground_job, "_BATCH", 2)


def aligner():
    import torch

    torch.manual_seed(0)
    return Aligner(AlignerModel(ModelSettings(dim=16, hidden=16)).eval(), SETTINGS, beta=0.05)


def rows(ws, table) -> list[bytes]:
    """The rows of a table as bytes, in no order."""
    found = lancedb.connect(Path(ws) / "db").open_table(table).to_arrow()
    return sorted(found.take([i]).to_batches()[0].serialize().to_pybytes() for i in range(len(found)))


def entries(store) -> dict[str, bytes]:
    """What search keeps of every image, as bytes."""
    found = {}
    for shard in store.images().shards:
        for i, key in enumerate(shard.keys):
            assert key not in found
            entry = shard.entry(i)
            found[key] = entry.planes.high.tobytes() + entry.planes.low.tobytes() + entry.boxes.tobytes()
    return found


def copy(base, tmp_path) -> Workspace:
    import shutil

    return Workspace(shutil.copytree(base / "ws", tmp_path / "ws"))


def test_killed_workers_lose_nothing_and_double_nothing(cluster, base, tmp_path, monkeypatch):
    ws = copy(base, tmp_path)
    monkeypatch.setenv("DIES_IN", str(tmp_path))
    monkeypatch.setenv("DIES_AT", "9.png")
    monkeypatch.setattr(regions_job, "RegionMapper", DyingRegions)
    engine = Engine("ray", address=cluster)
    counts = make_regions(ws, SETTINGS, quiet=True, engine=engine)
    assert (tmp_path / "killed").exists()
    assert (counts.done, counts.skipped) == (13, 1)
    assert rows(ws.path, "regions") == rows(base / "local", "regions")
    assert rows(ws.path, "skipped") == rows(base / "local", "skipped")
    ground(ws, aligner(), quiet=True, engine=engine)
    assert rows(ws.path, "phrases") == rows(base / "local", "phrases")
    assert entries(Store(ws, aligner(), engine=engine)) == entries(Store(Workspace(base / "local"), aligner()))


def test_processes_of_this_machine_make_the_same_rows(base, tmp_path, monkeypatch):
    monkeypatch.setattr("phrasebox.pipeline.base.LEAST", 1)
    ws = copy(base, tmp_path)
    make_regions(ws, SETTINGS, workers=2, quiet=True)
    ground(ws, aligner(), quiet=True, engine=Engine(workers=2))
    for table in ("regions", "phrases", "skipped"):
        assert rows(ws.path, table) == rows(base / "local", table)


DRIVER = """
import os, sys
from phrasebox.pipeline import Engine
from phrasebox.stages.regions import make_regions
from phrasebox.stages import regions
from phrasebox.workspace.workspace import Workspace
from test_ray import SETTINGS
regions._BATCH = 2
append, calls = Workspace.append_regions, []
def dies(self, found, view):
    append(self, found, view)
    calls.append(found)
    if len(calls) == 3:
        os.kill(os.getpid(), 9)
Workspace.append_regions = dies
make_regions(Workspace(sys.argv[1]), SETTINGS, quiet=True, engine=Engine("ray", address=sys.argv[2]))
"""


def test_a_killed_driver_goes_on(cluster, base, tmp_path):
    ws = copy(base, tmp_path)
    killed = subprocess.run(
        [sys.executable, "-c", DRIVER, str(ws.path), cluster],
        capture_output=True,
        timeout=600,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    before = rows(ws.path, "regions")
    assert 3 <= len(before) < 13
    counts = make_regions(ws, SETTINGS, quiet=True, engine=Engine("ray", address=cluster))
    assert counts.done == 13 - len(before)
    assert rows(ws.path, "regions") == rows(base / "local", "regions")


def test_descriptions(cluster, base, tmp_path, monkeypatch):
    import torch

    from phrasebox.captioner import Captioner, CaptionerModel, SpeechSettings, Vocabulary
    from phrasebox.captioner import ModelSettings as Speaking
    from phrasebox.stages import describe as describing

    torch.manual_seed(0)
    vocabulary = Vocabulary.build(["a red square", "a green ball"], 1)
    model = CaptionerModel(Speaking(dim=16, embed=16), len(vocabulary)).eval()
    captioner = Captioner(model, vocabulary, SETTINGS, SpeechSettings(beam=2, max_length=6), workers=1)
    monkeypatch.setattr(describing, "_BATCH", 4)
    skipped = []
    for name, engine in {"here": Engine(workers=1), "there": Engine("ray", address=cluster)}.items():
        counts = describe_folder(
            captioner, base / "data" / "images", tmp_path / name, 2, quiet=True, skip=skipped.extend, engine=engine
        )
        assert (counts.done, counts.skipped) == (13, 2)
    assert sorted((tmp_path / "here").read_text().splitlines()) == sorted((tmp_path / "there").read_text().splitlines())
    assert sorted(item.key for item in skipped) == ["4.png", "4.png", "7.png", "7.png"]


def test_the_errors_of_a_worker_are_told_as_they_are(cluster):
    from mappers import Item, Squares

    from phrasebox.errors import SettingsError

    with pytest.raises(SettingsError, match="3 is refused"):
        bulk.run(
            [Item(str(i)) for i in range(8)],
            Squares(refused=3),
            list,
            list,
            batch=2,
            engine=Engine("ray", address=cluster),
            progress=lambda count: None,
        )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--address", "auto"], "add --engine ray"),
        (["--engine", "ray", "--address", "192.0.2.77:6379", "--offline"], "--offline forbids the Ray cluster"),
    ],
)
def test_what_it_refuses(arguments, reason, base, tmp_path, capsys):
    ws = copy(base, tmp_path)
    small = ["--proposer", "grid", "--backbone", "efficientnet-lite0", "--size", "96"]
    with pytest.raises(SystemExit):
        cli.main(["regions", str(ws.path), *small, *arguments])
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line

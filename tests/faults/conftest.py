"""The process that forks, the data set, and what every stage leaves in peace: made once for all tests."""

from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from forks import Forks
from killing import Stage, peaceful
from small_data import write_entities


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
    made = Forks(tmp_path_factory.mktemp("forks"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def data(made_once) -> Path:
    return made_once("faults-data", lambda folder: write_entities(folder / "entities")) / "entities"


@pytest.fixture(scope="session")
def stages(forks, data, made_once) -> dict[str, Stage]:
    def fill(folder: Path) -> None:
        made = {stage.name: stage for stage in peaceful(forks, data, folder)}
        (folder / "stages.pickle").write_bytes(pickle.dumps(made))

    return pickle.loads((made_once("faults-stages", fill) / "stages.pickle").read_bytes())


@pytest.fixture
def before(stages, tmp_path):
    """Copy the workspace that a stage begins with to ``tmp_path/ws``."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(stages[name].before, tmp_path / "ws"))

    return copy

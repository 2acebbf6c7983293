"""The wheel and the source archive: what is in them, and that the wheel works away from the sources."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from phrasebox.io.version import __version__

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
pytestmark = pytest.mark.xdist_group("wheel")  # one process builds and installs it, once


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel and the source archive were built into."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--sdist", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
    return out


@pytest.fixture(scope="module")
def clean(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel; what the wheel needs comes from the running environment."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    wheel = next(built.glob("*.whl"))
    command = [programs / "python", "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile", wheel]
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
    own = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    others = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    own.joinpath("running.pth").write_text("".join(f"{path}\n" for path in others))  # searched after the wheel
    return programs


def test_the_wheel_holds_what_the_package_reads(built: Path) -> None:
    """Every file of the package that is in the repository is in the wheel, and nothing else."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if name.startswith("phrasebox/")}
    source = ROOT / "src"
    files = (path for path in (source / "phrasebox").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert held == {path.relative_to(source).as_posix() for path in files}
    suffixes = {PurePosixPath(name).suffix for name in held}
    assert {".html", ".css", ".js", ".toml", ".safetensors", ".json"} <= suffixes
    assert "phrasebox/py.typed" in held


def test_the_source_archive_holds_no_leftovers(built: Path) -> None:
    """Neither caches nor results nor an environment; but what is needed to test and document the package."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        held = [PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames()]
    leftovers = {"__pycache__", ".venv", ".pytest_cache", ".ruff_cache", ".hypothesis", "build", "dist", "runs"}
    assert not [path for path in held if leftovers & set(path.parts) or path.suffix == ".pyc"]
    assert {"src", "tests", "docs", "recipes", "benchmarks", "pyproject.toml", "LICENSE", "README.md"} <= {
        path.parts[0] for path in held
    }


def test_the_wheel_is_found_before_the_sources(clean: Path, tmp_path: Path) -> None:
    """What is imported, and its version, are the wheel's."""
    code = "import phrasebox, importlib.metadata as m; print(phrasebox.__file__); print(m.version('phrasebox'))"
    done = subprocess.run(
        [clean / "python", "-c", code], check=True, capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path
    )
    file, version = done.stdout.splitlines()
    assert Path(file).is_relative_to(clean.parent)
    assert version == __version__


def test_the_demo_runs_from_the_wheel(clean: Path, tmp_path: Path) -> None:
    """The command that the wheel installs writes its pages with their pictures, and the pairs."""
    command = [clean / "phrasebox", "demo", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "demo" / "out"
    for page in ("gallery.html", "described.html"):
        assert out.joinpath(page).read_text(encoding="utf-8").count("data:image/jpeg") >= 5, page
    assert {path.name for path in out.iterdir()} >= {"coco.json", "odvg.jsonl", "pairs.parquet"}

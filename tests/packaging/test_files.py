"""The files that build, test and publish the package."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
EXTRAS = tomllib.loads(PROJECT)["project"]["optional-dependencies"]
FOR_DEVELOPERS = {"test", "docs", "dev", "bench"}


def workflow(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))


def answers(*command: str) -> str:
    """Why a program cannot be used here; empty if it can."""
    if shutil.which(command[0]) is None:
        return f"{command[0]} is not installed"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]} does not run: {error}"
    return "" if done.returncode == 0 else f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-200:]}"


def test_hadolint_accepts_the_dockerfile() -> None:
    if reason := answers("hadolint", "--version"):
        pytest.skip(reason)
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_builds() -> None:
    if reason := answers("docker", "info"):
        pytest.skip(reason)
    done = subprocess.run(["docker", "build", "--quiet", str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_package_is_tested_with_every_python_it_names() -> None:
    matrix = workflow("test.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert tomllib.loads(PROJECT)["project"]["requires-python"] == f">={matrix['python'][0]}"


def test_a_tag_publishes_that_version_without_a_password() -> None:
    found = workflow("release.yml")
    assert found[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads the key `on` as true
    build, publish = found["jobs"]["build"], found["jobs"]["publish"]
    assert publish["needs"] == "build"
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["steps"][-1] == {"uses": "pypa/gh-action-pypi-publish@release/v1"}
    assert found["permissions"] == {"contents": "read"}, "no other job may ask for a token"
    assert "permissions" not in build


@pytest.mark.parametrize(("tag", "equal"), [("v{}", True), ("{}", False), ("v{}0", False)])
def test_the_tag_must_be_the_version(tag: str, equal: bool) -> None:
    from phrasebox.io.version import __version__

    [check] = [
        step
        for step in workflow("release.yml")["jobs"]["build"]["steps"]
        if step.get("name") == "The tag is the version"
    ]
    environment = {"GITHUB_REF_NAME": tag.format(__version__), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", check["run"]], cwd=ROOT, env=environment, check=False)
    assert (done.returncode == 0) == equal


@pytest.mark.parametrize("name", ["test.yml", "release.yml"])
def test_actions_are_pinned(name: str) -> None:
    steps = [step for job in workflow(name)["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used
    assert all(re.fullmatch(r"(actions/[\w-]+@v\d+|pypa/gh-action-pypi-publish@release/v1)", each) for each in used)


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_says_what_it_is_for(extra: str) -> None:
    assert re.search(rf"^# \S.+\n{re.escape(extra)} = \[", PROJECT, re.M)


def test_the_readme_lists_the_extras_of_users() -> None:
    listed = re.findall(r"^\| `phrasebox\[([\w-]+)\]` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted(EXTRAS.keys() - FOR_DEVELOPERS)

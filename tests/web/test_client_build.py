"""The built page: it is that of its sources, small, and needs nothing that a strict content security policy forbids."""

from __future__ import annotations

import filecmp
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from phrasebox import web
from phrasebox.io.colours import css_rules

CLIENT = Path(__file__).parents[2] / "client"
STATIC = Path(web.__file__).parent / "static"
SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "public", "src")
LARGEST = 120_000  # bytes of the page, compressed


def sources() -> str:
    """SHA-256 of the sources, as `client/vite.config.ts` computes it."""
    roots = [CLIENT / name for name in SOURCES]
    files = [file for root in roots for file in (root.rglob("*") if root.is_dir() else [root]) if file.is_file()]
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.relative_to(CLIENT).as_posix()):
        digest.update(f"{file.relative_to(CLIENT).as_posix()}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def test_the_build_is_that_of_the_sources():
    assert (STATIC / "sources.sha256").read_text().strip() == sources(), "run: cd client && npm ci && npm run build"


def test_the_page_is_small():
    files = [file for file in STATIC.rglob("*") if file.suffix in (".html", ".js", ".css", ".svg")]
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= LARGEST


def test_nothing_is_inline():
    page = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", page) == []
    assert not any(re.search(r"\beval\(|new Function\(", file.read_text()) for file in STATIC.glob("**/*.js"))


def test_the_colours_of_phrases_are_those_of_figures():
    assert css_rules() in (CLIENT / "src" / "style" / "palette.css").read_text()


def test_the_lock_file_names_no_registry():
    packages = json.loads((CLIENT / "package-lock.json").read_text())["packages"].values()
    assert [package for package in packages if "resolved" in package] == []


@pytest.mark.skipif(shutil.which("npm") is None, reason="node is not installed")
@pytest.mark.skipif(not (CLIENT / "node_modules").is_dir(), reason="run: cd client && npm ci")
def test_unit_tests_pass_and_a_new_build_is_the_committed_one(tmp_path):
    for command in (["npm", "test"], ["npm", "run", "build", "--", "--outDir", str(tmp_path)]):
        done = subprocess.run(command, cwd=CLIENT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    built = sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file())
    assert built == sorted(file.relative_to(STATIC) for file in STATIC.rglob("*") if file.is_file())
    assert filecmp.cmpfiles(tmp_path, STATIC, map(str, built), shallow=False)[1:] == ([], [])

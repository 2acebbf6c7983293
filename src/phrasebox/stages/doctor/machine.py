"""Check the machine: processor, memory, disk and installed packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from phrasebox.errors import PhraseboxError
from phrasebox.io.offline import is_offline
from phrasebox.stages.doctor.engines import engines
from phrasebox.stages.doctor.finding import Finding
from phrasebox.workspace.run_log import versions

_GB = 1 << 30
_MEMORY = 4 * _GB  # needed to train on 40,000 images
_FREE_DISK = 2 * _GB
_CGROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def machine(folder: Path, device: str = "cpu") -> Iterator[Finding]:
    """Check the machine, for work in ``folder``."""
    yield Finding("ok", "machine", ", ".join(f"{name} {number}" for name, number in versions().items()))
    yield Finding("ok", "machine", f"{_cores()} processor cores{', offline' if is_offline() else ''}")
    yield from _memory()
    yield from _disk(folder)
    yield from _torch(device)
    yield engines()
    yield _selective_search()
    yield from _packaged()
    yield _converted()
    yield _java()


def _cores() -> int:
    """Number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> Iterator[Finding]:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not a POSIX system
        return
    for file in map(Path, _CGROUP):
        limit = file.read_text().strip() if file.is_file() else "max"
        total = min(total, int(limit)) if limit.isdigit() else total
    what = f"{total / _GB:.1f} GB of memory"
    if total < _MEMORY:
        yield Finding("note", "machine", what, "train on fewer images: each takes about 70 kB")
    else:
        yield Finding("ok", "machine", what)


def _disk(folder: Path) -> Iterator[Finding]:
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(there).free
    what = f"{free / _GB:.1f} GB free on the disk of {folder.absolute()}"
    if not os.access(there, os.W_OK):
        yield Finding("broken", "machine", f"{there} cannot be written to", "change its permissions, or use another")
    elif free < _FREE_DISK:
        yield Finding("note", "machine", what, "make room: regions take about 70 kB per image, at the end twice that")
    else:
        yield Finding("ok", "machine", what)


def _torch(device: str) -> Iterator[Finding]:
    import torch

    usable = [name for name, there in _accelerators(torch).items() if there()]
    if usable:
        yield Finding("ok", "machine", f"torch can use {', '.join(usable)}", f"use it with --device {usable[0]}")
    else:
        yield Finding("ok", "machine", "no GPU that torch can use; everything runs on the processor")
    if device == "cpu":
        return
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):  # depends on the kind of device
        yield Finding("broken", "machine", f"there is no device {device!r}", "use --device cpu")


def _accelerators(torch: object) -> dict[str, Callable[[], bool]]:
    kinds = {"cuda": ("cuda",), "mps": ("backends", "mps"), "xpu": ("xpu",)}
    found: dict[str, Callable[[], bool]] = {}
    for name, path in kinds.items():
        part = torch
        for step in path:
            part = getattr(part, step, None)
        if part is not None:
            found[name] = part.is_available  # type: ignore[attr-defined]
    return found


def _selective_search() -> Finding:
    try:
        import cv2

        cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()  # type: ignore[attr-defined]
    except (ImportError, AttributeError):
        remedy = "pip install --force-reinstall opencv-contrib-python-headless, and remove other opencv packages"
        return Finding("broken", "machine", "this OpenCV has no selective search, which the paper preset needs", remedy)
    return Finding("ok", "machine", "OpenCV has selective search")


def _packaged() -> Iterator[Finding]:
    """Check the SHA-256 of packaged weights."""
    from phrasebox.aligner import Aligner
    from phrasebox.regions.backbones.packaged import PACKAGED, weights_file
    from phrasebox.text.word_vectors import WordVectors

    def check(name: str, load: Callable[[], object], needed: bool = True) -> Finding:
        try:
            load()
        except PhraseboxError as error:
            what, _, remedy = str(error).partition("; ")
            return Finding("broken" if needed else "note", "machine", f"{name}: {what}", remedy)
        return Finding("ok", "machine", f"{name} is intact")

    for name in PACKAGED:
        yield check(name, partial(weights_file, name), needed=name == "efficientnet-lite2")
    yield check("all-MiniLM-L6-v2", WordVectors)
    yield check("the built-in aligner", Aligner.load)


def _converted() -> Finding:
    """Tell where the converted networks are kept, and how large they are."""
    from phrasebox.regions.backbones.converted import cache_folder

    folder = cache_folder()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Finding("ok", "machine", f"{size / 1e6:.0f} MB of converted networks in {folder}, which may be deleted")


def _java() -> Finding:
    """Check for Java, which METEOR and SPICE need."""
    program = shutil.which("java")
    if program is None:
        remedy = "install a Java runtime to measure METEOR and SPICE"
        return Finding("note", "machine", "no Java: METEOR and SPICE cannot be computed", remedy)
    try:
        version = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=True).stderr
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(
            "note", "machine", f"{program} does not run: {error}", "install a Java runtime for METEOR, SPICE"
        )
    return Finding("ok", "machine", f"Java runs: {version.splitlines()[0] if version else program}")

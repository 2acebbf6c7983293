"""Check the tables of a workspace: rows, orphans, missing files, pending and skipped images, stopped runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from phrasebox.errors import WorkspaceError
from phrasebox.io.wording import counted
from phrasebox.stages.doctor.finding import Finding
from phrasebox.stages.doctor.pending import pending_stages
from phrasebox.workspace.picture_files import CHANGED, GONE, fault_of, remedies
from phrasebox.workspace.run_log import versions
from phrasebox.workspace.workspace import STAGE_TABLES, Workspace

_REASONS = 3  # number of reasons listed per stage, the most frequent first
_REMEDIES = {
    "images": "import into a new workspace",
    "truth": "import into a new workspace",
    "own": "import into a new workspace",
    "regions": "phrasebox regions {} --fresh",
    "phrases": "phrasebox ground {} --fresh",
}
_NUMERIC = ("numpy", "pillow", "torch", "openvino", "timm", "transformers", "opencv-contrib-python-headless", "machine")


def tables(ws: Workspace) -> Iterator[Finding]:
    """Check rows, orphans, pending and skipped images, and stopped runs."""
    images = ws.keys("images")
    if not images:
        yield Finding("note", "workspace", f"{ws.path} holds no images", f"phrasebox import SOURCE {ws.path}")
        return
    yield _busy(ws)
    counts = {table: ws.count(table) for table in STAGE_TABLES["import"]}
    yield Finding("ok", "workspace", "rows: " + ", ".join(f"{n:,} {table}" for table, n in counts.items() if n))
    for table in _REMEDIES:
        yield from _keys(ws, table, images)
    yield from _pictures(ws)
    yield from _pending(ws)
    for stage in ("import", *(stage for stage in STAGE_TABLES if stage != "import")):
        yield from _skipped(ws, stage)
    yield from _runs(ws)
    yield from _leftovers(ws)


def _busy(ws: Workspace) -> Finding:
    try:
        with ws.lock():
            return Finding("ok", "workspace", "no other command is writing to it")
    except WorkspaceError:
        return Finding("note", "workspace", "another command is writing to it", "check again when it has finished")
    except OSError as error:
        return Finding("broken", "workspace", f"it cannot be written to: {error.strerror}", "change its permissions")


def _keys(ws: Workspace, table: str, images: set[str]) -> Iterator[Finding]:
    """Check for rows without an image, and images with more than one row."""
    remedy = _REMEDIES[table].format(ws.path)
    keys = images if table == "images" else ws.keys(table)
    if orphans := sorted(keys - images):
        what = f"{counted(len(orphans), 'image')} of table {table} not in table images, such as {orphans[0]}"
        yield Finding("broken", "workspace", what, remedy)
    if table != "phrases" and (more := ws.count(table) - len(keys)):
        yield Finding("broken", "workspace", f"{counted(more, 'row')} too many in table {table}", remedy)


def _pictures(ws: Workspace) -> Iterator[Finding]:
    faults = [fault for row in ws.pictures() if (fault := fault_of(row.path, (row.width, row.height), row.file))]
    for kind, noun in ((GONE, "image file"), (CHANGED, "picture")):
        own = [fault for fault in faults if kind in fault]
        if own:
            named = "; ".join(own[:_REASONS])
            verb = "missing" if kind == GONE else "changed"
            remedy = "; ".join(remedies(ws.path, own)) + "; galleries and exports leave them out"
            yield Finding("note", "workspace", f"{counted(len(own), noun)} {verb}: {named}", remedy)
    if other := [fault for fault in faults if GONE not in fault and CHANGED not in fault]:
        what = f"{counted(len(other), 'image file')} cannot be read: {'; '.join(other[:_REASONS])}"
        yield Finding("note", "workspace", what, "repair them; galleries and exports leave them out")


def _pending(ws: Workspace) -> Iterator[Finding]:
    for step in pending_stages(ws):
        yield Finding("note", "workspace", step.what, step.command)


def _skipped(ws: Workspace, stage: str) -> Iterator[Finding]:
    skipped = ws.skipped(stage)
    if not skipped:
        return
    # Without the image's path, with which most reasons begin, so that equal reasons are counted together.
    reasons = Counter(item.reason.rpartition(": ")[2] for item in skipped).most_common()
    listed = "; ".join(f"{reason} ({count})" for reason, count in reasons[:_REASONS])
    more = f"; and {counted(len(reasons) - _REASONS, 'other reason')}" if len(reasons) > _REASONS else ""
    again = f"phrasebox {stage} {ws.path} --fresh" if stage != "import" else "import them again"
    what = f"{counted(len(skipped), 'item')} skipped by {stage}, such as {skipped[0].key}: {listed}{more}"
    yield Finding("note", "workspace", what, f"repair them, then {again}")


def _runs(ws: Workspace) -> Iterator[Finding]:
    runs, here = ws.runs, versions()
    if not runs:
        yield Finding("note", "workspace", "no runs are recorded: it was made by an older version", "import it again")
    stopped = {run.stage for run in runs if not run.finished}
    if stopped:
        commands = "; ".join(f"phrasebox {'import SOURCE' if s == 'import' else s} {ws.path}" for s in sorted(stopped))
        yield Finding("note", "workspace", f"stopped before its end: {', '.join(sorted(stopped))}", commands)
    for name in _NUMERIC:
        others = {run.versions[name] for run in runs if run.stage in STAGE_TABLES and name in run.versions}
        if len(others) > 1 or others - {here.get(name, "none")}:
            what = f"rows were made with {name} {', '.join(sorted(others))}, installed is {here.get(name, 'none')}"
            yield Finding("note", "workspace", what, "numbers may differ slightly; recompute them to be sure")


def _leftovers(ws: Workspace) -> Iterator[Finding]:
    """Check for temporary files of killed runs."""
    left = [*ws.path.glob("db/*.dropped"), *ws.path.glob("**/*.part"), *ws.path.glob("models/*/*.new")]
    if left:
        size = sum(map(_size, left)) / (1 << 20)
        what = f"{size:.0f} MB of files of stopped runs: {', '.join(str(p.relative_to(ws.path)) for p in left[:3])}"
        yield Finding("note", "workspace", what, "remove them while no command is running")


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_file())

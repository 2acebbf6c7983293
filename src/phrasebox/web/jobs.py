"""Jobs: commands on the workspace, one at a time, each in a process of its own that outlives a crash of the service."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from phrasebox.errors import NotFoundError, WorkspaceError
from phrasebox.io.atomic import remove_folder, write_json
from phrasebox.io.paths import in_store
from phrasebox.stages.job_process import CODE
from phrasebox.web.job_log import curve_in, progress_in
from phrasebox.web.job_stages import Value, stage_of
from phrasebox.web.public import without_paths
from phrasebox.web.results import JOBS
from phrasebox.workspace.workspace import Workspace

_KEPT = 50  # jobs whose logs are kept
_LOG_BYTES = 64 << 10  # of one answer
_TAIL = 256 << 10  # bytes of the log that progress and curve are read from
_PATIENCE = 10.0  # seconds until a job that was stopped is stopped harder
_STOPPED = 130  # exit code of a command after Ctrl-C
_FAILED = re.compile(r"^(phrasebox: |Traceback )", re.M)  # in the log of a command that did not come to its end
State = Literal["running", "finished", "found", "failed", "stopped"]
_RUN = [sys.executable, "-m", "phrasebox.stages.job_process"]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is on disk.

    Attributes
    ----------
    options : dict
        Option name -> value.
    pid : int
        Process group of the job.
    started, ended : str
        Times in ISO 8601; ``ended`` is empty while it runs.
    state : {"running", "finished", "found", "failed", "stopped"}
        ``found``: finished, and its result tells of problems.
    error : str
        Why it failed, or the problems that it found.
    """

    id: str
    stage: str
    options: dict[str, Value]
    pid: int = 0
    started: str = ""
    ended: str = ""
    state: State = "running"
    error: str = ""


class Jobs:
    """The jobs of a workspace. Safe for threads.

    Parameters
    ----------
    extra : sequence of str
        Arguments of every command, such as the device.
    on_change : callable
        Called with a job as JSON when it has changed.
    on_end : callable
        Called when a job has ended.
    """

    def __init__(
        self,
        ws: Workspace,
        extra: list[str],
        on_change: Callable[[dict[str, Any]], None] = lambda job: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        if in_store(ws.path):
            raise WorkspaceError("jobs run on workspaces of this machine only; copy the workspace here")
        self._ws, self._extra = ws, extra
        self._folder = ws.path.absolute() / JOBS
        self._on_change, self._on_end = on_change, on_end
        self._guard = threading.RLock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._told: dict[str, Any] | None = None

    def start(self, stage: str, options: Mapping[str, Value]) -> dict[str, Any]:
        """Start a job.

        Raises
        ------
        NotFoundError, SettingsError
            If there is no such stage, model or option.
        WorkspaceError
            If a job or another command is writing to the workspace.
        """
        wanted = stage_of(stage)
        checked = wanted.checked(options)
        if "model" in checked and not (self._ws.models / str(checked["model"]) / "config.json").is_file():
            raise NotFoundError(f"the workspace has no model {checked['model']!r}")
        with self._guard:
            if running := self.running():
                raise WorkspaceError(f"the job {running.stage} is running; wait for it or stop it")
            with self._ws.lock():
                pass
            job = Job(f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{uuid4().hex[:4]}", stage, checked, started=_now())
            folder = self._folder / job.id
            folder.mkdir(parents=True)
            arguments = wanted.arguments(str(self._ws.path.absolute()), checked, self._ws.models.absolute())
            job = replace(job, pid=self._spawn(job.id, folder, [*arguments, *self._extra]))
            _write(folder, job)
            self._forget_old()
        told = self.to_json(job)
        self._on_change(told)
        return told

    def _spawn(self, id: str, folder: Path, arguments: list[str]) -> int:
        command = [*_RUN, str(folder), *arguments]
        own = {name: value for name, value in os.environ.items() if name != "PHRASEBOX_TOKEN"}
        environment = own | {"PYTHONUNBUFFERED": "1", "COLUMNS": "120", "NO_COLOR": "1"}
        with (
            (folder / "lock").open("wb") as lock,
            (folder / "out.txt").open("wb") as out,
            (folder / "log.txt").open("wb") as log,
        ):
            _lock(lock.fileno())  # held by the job for as long as it lives, whoever started it
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=environment,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
        self._processes[id] = process
        return process.pid

    def running(self) -> Job | None:
        """The running job."""
        with self._guard:
            return next((job for job in self.list(1) if job.state == "running"), None)

    def list(self, limit: int = _KEPT) -> list[Job]:
        """The latest jobs, newest first."""
        with self._guard:
            ids = sorted((path.parent.name for path in self._folder.glob("*/job.json")), reverse=True)
            found = []
            for id in ids[:limit]:
                with suppress(NotFoundError):
                    found.append(self.get(id))
            return found

    def get(self, id: str) -> Job:
        """The job with this id as it is now; raises `NotFoundError` if there is none."""
        folder = self._folder / id
        try:
            if folder.parent != self._folder or id.startswith("."):
                raise ValueError
            job = Job(**json.loads((folder / "job.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise NotFoundError("there is no such job") from None
        with self._guard:
            if job.state == "running" and not _is_locked(folder / "lock"):
                job = self._ended(folder, job)
        return job

    def _ended(self, folder: Path, job: Job) -> Job:
        """Record how a job ended whose process is gone."""
        if process := self._processes.pop(job.id, None):
            process.wait()
        try:
            code = int((folder / CODE).read_text())
        except (OSError, ValueError):
            code = _STOPPED  # killed
        state: State = "finished" if code == 0 else "stopped" if code == _STOPPED else "failed"
        error = ""
        if code == 1 and (problems := _problems(folder, job.stage)):
            state, error = "found", self._public("; ".join(problems))
        if state == "failed":
            lines = [line for line in _text(folder / "log.txt", _TAIL).splitlines() if line.strip()]
            error = self._public(lines[-1].removeprefix("phrasebox: ")) if lines else f"it ended with code {code}"
        job = replace(job, state=state, ended=_now(), error=error)
        _write(folder, job)
        if job.stage == "evaluate" and state == "finished":
            self._keep_results(folder, job)
        self._on_end()
        return job

    def _keep_results(self, folder: Path, job: Job) -> None:
        """Keep what was measured, which the next measurement replaces in the workspace."""
        since = datetime.fromisoformat(job.started).timestamp() - 1
        files = [file for file in (self._ws.path / "results").glob("*.json") if file.stat().st_mtime >= since]
        with suppress(OSError, ValueError, TypeError):
            write_json(folder / "results.json", [table for file in files for table in json.loads(file.read_text())])

    def to_json(self, job: Job) -> dict[str, Any]:
        """A job with what its log says."""
        folder = self._folder / job.id
        lines = _text(folder / "log.txt", _TAIL).splitlines()
        ended = datetime.fromisoformat(job.ended) if job.ended else datetime.now(UTC)
        seconds = (ended - datetime.fromisoformat(job.started)).total_seconds()
        return {
            **{name: value for name, value in asdict(job).items() if name != "pid"},
            "ended": job.ended or None,
            "command": shlex.join(["phrasebox", *stage_of(job.stage).arguments("WS", job.options)]),
            "seconds": max(0.0, seconds),
            "progress": progress_in(lines) if job.state == "running" else None,
            "curve": curve_in(lines),
            "result": self._public(_text(folder / "out.txt", _LOG_BYTES)) if job.ended else "",
        }

    def log(self, id: str, offset: int) -> dict[str, Any]:
        """A part of a job's log, from a byte on, and where the next part begins."""
        job = self.get(id)
        with (self._folder / id / "log.txt").open("rb") as file:
            file.seek(offset)
            data = file.read(_LOG_BYTES)
        whole = data if job.ended else data[: data.rfind(b"\n") + 1]
        text = without_paths(whole.decode("utf-8", "replace"), str(self._ws.path.absolute()))
        return {"text": text, "offset": offset + len(whole), "ended": bool(job.ended) and len(data) < _LOG_BYTES}

    def stop(self, id: str) -> dict[str, Any]:
        """Stop a job as Ctrl-C does; it can be gone on with."""
        job = self.get(id)
        if job.state == "running":
            threading.Thread(target=self._end, args=(id, job.pid), daemon=True).start()
        return self.to_json(job)

    def _end(self, id: str, pid: int) -> None:
        lock = self._folder / id / "lock"
        for kind in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                if _is_locked(lock):  # else the number may be another process's
                    os.killpg(pid, kind)
            until = time.monotonic() + _PATIENCE
            while _is_locked(lock) and time.monotonic() < until:
                time.sleep(0.1)
        self.look()

    def go_on(self, id: str) -> dict[str, Any]:
        """Start a job again with the same options, but not anew: the commands continue where they were stopped."""
        job = self.get(id)
        return self.start(job.stage, {name: value for name, value in job.options.items() if name != "fresh"})

    def look(self) -> None:
        """Tell whether the latest job has changed."""
        latest = self.list(1)
        told = self.to_json(latest[0]) if latest else None
        steady = {name: value for name, value in (told or {}).items() if name != "seconds" or told["ended"]}  # type: ignore[index]
        if told is not None and steady != self._told:
            self._told = steady
            self._on_change(told)

    def close(self) -> None:
        """Stop the running job, if this process started it."""
        job = self.running()
        if job is not None and job.id in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGINT)

    def _forget_old(self) -> None:
        for folder in sorted(self._folder.glob("*"), reverse=True)[_KEPT:]:
            remove_folder(folder)

    def _public(self, text: str) -> str:
        return without_paths(text, str(self._ws.path.absolute())).strip()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _problems(folder: Path, stage: str) -> list[str]:
    """What a command that ended with code 1 found; nothing if it failed instead."""
    mark = stage_of(stage).problem
    if not mark or _FAILED.search(_text(folder / "log.txt", _TAIL)):
        return []
    lines = _text(folder / "out.txt", _LOG_BYTES).splitlines()
    return [line.removeprefix(mark).strip() for line in lines if line.startswith(mark)]


def _write(folder: Path, job: Job) -> None:
    write_json(folder / "job.json", asdict(job))


def _text(file: Path, most: int) -> str:
    """The last ``most`` bytes of a file."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, os.fstat(opened.fileno()).st_size - most))
            return opened.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _lock(descriptor: int) -> None:
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(file: Path) -> bool:
    """Whether the process that was given the lock lives."""
    try:
        with file.open("rb") as opened:
            _lock(opened.fileno())
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False

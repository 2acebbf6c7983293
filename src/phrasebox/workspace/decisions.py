"""Reviewers' decisions about decoded phrases: an append-only log that survives a crash and that processes share."""

from __future__ import annotations

import json
import os
import threading
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import uuid4

from phrasebox.errors import DataError, WorkspaceError
from phrasebox.io.paths import in_store, reaching
from phrasebox.types import Box, Span
from phrasebox.workspace.run_log import timestamp

NAME = "decisions.jsonl"
LOCK = "decisions.lock"
Verdict = Literal["accept", "reject", "edit"]
Place = tuple[str, str, Span, tuple[float, ...]]
"""Identifies the phrase of a decision: image, caption, and the span and box (to 1/100 pixel) as they were decoded."""
_LOCK_TIMEOUT = 10.0  # seconds to wait for another process that is writing a line


@dataclass(frozen=True, slots=True)
class Decision:
    """A reviewer's decision about one phrase.

    Attributes
    ----------
    key, caption : str
        Key of the image, and text of the caption.
    found, found_box : Span, Box
        The phrase as it was decoded.
    span, box : Span, Box
        The phrase after the decision; as decoded where it was not edited.
    size : (int, int)
        Width and height in pixels that the boxes refer to.
    whole_image : bool
        The phrase describes the whole image.
    who, when : str
        Name of the reviewer, and time in ISO 8601.
    """

    verdict: Verdict
    key: str
    caption: str
    found: Span
    found_box: Box
    span: Span
    box: Box
    size: tuple[int, int]
    who: str
    whole_image: bool = False
    when: str = field(default_factory=timestamp)
    id: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        for start, end in (self.found, self.span):
            if not 0 <= start < end <= len(self.caption):
                raise DataError(f"span {(start, end)} is outside the caption {self.caption!r}")
        if self.verdict not in get_args(Verdict) or min(self.size) < 1:
            raise DataError(f"verdict {self.verdict!r} on a picture of {self.size} pixels is not a valid decision")

    @property
    def place(self) -> Place:
        """Identifies the phrase that was decided on."""
        return self.key, self.caption, self.found, tuple(round(x, 2) for x in self.found_box)

    def to_json(self) -> dict[str, Any]:
        """The decision as a line of the log."""
        return {
            "id": self.id,
            "when": self.when,
            "who": self.who,
            "verdict": self.verdict,
            "image": self.key,
            "caption": self.caption,
            "text": self.caption[slice(*self.span)],
            "span": list(self.span),
            "box": list(self.box),
            "found": {"span": list(self.found), "box": list(self.found_box)},
            "size": list(self.size),
            "whole_image": self.whole_image,
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Decision:
        """The decision that `to_json` wrote."""
        (start, end), (first, last), (width, height) = line["span"], line["found"]["span"], line["size"]
        return cls(
            line["verdict"],
            line["image"],
            line["caption"],
            (first, last),
            Box(*line["found"]["box"]),
            (start, end),
            Box(*line["box"]),
            (width, height),
            line["who"],
            line["whole_image"],
            line["when"],
            line["id"],
        )


@dataclass(frozen=True, slots=True)
class Action:
    """What a reviewer did at once: one decision or many, which one undo takes back.

    Attributes
    ----------
    id : str
        Chosen by the caller, so that the same action sent twice is stored once.
    who, when : str
        Name of the reviewer, and time in ISO 8601.
    """

    id: str
    who: str
    when: str
    decisions: tuple[Decision, ...]

    def to_json(self) -> dict[str, Any]:
        """The action as one line of the log, so that a crash leaves all of it or nothing."""
        if len(self.decisions) == 1:
            return self.decisions[0].to_json()
        return {
            "id": self.id,
            "when": self.when,
            "who": self.who,
            "many": [decision.to_json() for decision in self.decisions],
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Action:
        """The action that `to_json` wrote."""
        made = tuple(map(Decision.from_json, line.get("many", [line])))
        return cls(line["id"], line["who"], line["when"], made)


class Decisions:
    """The decisions of a workspace; safe with several threads and processes.

    A line is on disk before a method that writes it returns; an incomplete line, left by a crash, is ignored. In an
    object store, where a file cannot be appended to, the log is read once and is read-only.
    """

    def __init__(self, folder: Path) -> None:
        self._file, self._lock_file = folder / NAME, folder / LOCK
        self._in_store = in_store(folder)
        self._guard = threading.RLock()
        self._changed: set[str] = set()
        self._forget()

    def _forget(self) -> None:
        self._at, self._inode = 0, 0
        self._known: dict[str, Action] = {}  # every action, also undone ones
        self._order: dict[str, int] = {}  # decision -> its place in the log
        self._made: dict[str, Action] = {}  # those in force, in the order of undoing
        self._undone: dict[str, dict[str, Action]] = defaultdict(dict)  # reviewer -> what can be done again
        self._history: dict[Place, list[Decision]] = defaultdict(list)
        self._of_image: dict[str, dict[Place, None]] = defaultdict(dict)

    def changed(self) -> set[str]:
        """Keys of the images with a decision made or undone, by any process, since the last call."""
        with self._guard:
            self.refresh()
            changed, self._changed = self._changed, set()
            return changed

    def refresh(self) -> None:
        """Read the lines that were appended, by any process, since the last call."""
        with self._guard:
            if self._in_store:
                self._read_store()
                return
            try:
                file = self._file.open("rb")
            except FileNotFoundError:
                self._changed |= set(self._of_image)
                self._forget()
                return
            with file:
                state = os.fstat(file.fileno())
                if state.st_size < self._at or (self._inode and state.st_ino != self._inode):
                    self._changed |= set(self._of_image)
                    self._forget()
                self._inode = state.st_ino
                file.seek(self._at)
                new = file.read() if state.st_size > self._at else b""
            whole = new[: new.rfind(b"\n") + 1]
            self._at += len(whole)
            self._take_all(whole)

    def _read_store(self) -> None:
        if self._at:
            return
        self._at = 1
        with suppress(FileNotFoundError), reaching(self._file):
            self._take_all(self._file.read_bytes())

    def _take_all(self, lines: bytes) -> None:
        for line in lines.splitlines():
            with suppress(ValueError, LookupError, TypeError, AttributeError, DataError):  # an incomplete line
                action = self._take(json.loads(line))
                self._changed |= {decision.key for decision in action.decisions}

    def _take(self, line: Mapping[str, Any]) -> Action:
        if "undo" in line:
            action = self._made.pop(line["undo"])
            for decision in action.decisions:
                self._history[decision.place].remove(decision)
            self._undone[action.who][action.id] = action
            return action
        if "redo" in line:
            action = self._known[line["redo"]]
            del self._undone[action.who][action.id]
        else:
            action = Action.from_json(line)
            self._known[action.id] = action
            self._undone.pop(action.who, None)
            self._order |= {one.id: len(self._order) + n for n, one in enumerate(action.decisions)}
        self._made[action.id] = action
        for decision in action.decisions:
            # At its old place: what others decided on the phrase since stays in force.
            insort(self._history[decision.place], decision, key=lambda one: self._order[one.id])
            self._of_image[decision.key][decision.place] = None
        return action

    @property
    def keys(self) -> list[str]:
        """Keys of the images that have or had a decision."""
        with self._guard:
            return list(self._of_image)

    def of(self, key: str) -> list[Decision]:
        """The latest decision for each reviewed phrase of an image."""
        with self._guard:
            places = self._of_image.get(key, {})
            return [self._history[place][-1] for place in places if self._history[place]]

    def standing(self) -> list[Decision]:
        """The latest decision for each reviewed phrase."""
        with self._guard:
            return [made[-1] for made in self._history.values() if made]

    def pace(self, minutes: int) -> float:
        """Single decisions a minute, not undone, since the first of the last ``minutes``."""
        now = datetime.now(UTC)
        since = (now - timedelta(minutes=minutes)).isoformat(timespec="seconds")
        with self._guard:
            recent = [one.when for one in self._made.values() if len(one.decisions) == 1 and one.when > since]
        if not recent:
            return 0.0
        return len(recent) / max(1.0, (now - datetime.fromisoformat(min(recent))).total_seconds() / 60)

    def add(self, decision: Decision) -> None:
        """Append a decision to the log; raises as `act`."""
        self.act(decision.id, decision.who, lambda: [decision])

    def act(self, id: str, who: str, make: Callable[[], Sequence[Decision]]) -> Action:
        """Append one action to the log, unless it is there.

        Parameters
        ----------
        id : str
            Identifier of the action; if the log has it, nothing is written, and the action is returned as it was.
        make : callable
            Returns the decisions. It is called when no other process can write, after the log is read to its end, so
            that it can check what it decides on; what it raises is raised, and nothing is written then.

        Raises
        ------
        DataError
            If another reviewer has used the identifier.
        WorkspaceError
            If another process keeps the log locked.
        OSError
            If the log cannot be written; it is then unchanged.
        """
        with self._guard:
            done: list[Action] = []

            def line() -> dict[str, Any] | None:
                if known := self._known.get(id):
                    if known.who != who:
                        raise DataError("this decision id was used by another reviewer; make a new one")
                    done.append(known)
                    return None
                made = tuple(make())
                made = (replace(made[0], id=id),) if len(made) == 1 else made
                done.append(Action(id, who, timestamp(), made))
                return done[0].to_json() if made else None

            self._append(line)
            return done[0]

    def undo(self, who: str, id: str | None = None) -> Action | None:
        """Undo a reviewer's last action that is not undone yet and return it; None if there is none.

        Parameters
        ----------
        id : str, optional
            Undo this action of the reviewer's instead; if it is undone already, it stays so and is returned.

        Raises
        ------
        WorkspaceError
            If the action is another reviewer's.
        """
        return self._turn("undo", who, id, lambda: self._made)

    def redo(self, who: str, id: str | None = None) -> Action | None:
        """Do again what a reviewer undid last, if there was no new action of theirs since; parameters as of `undo`.

        What others have decided on the same phrases since stays in force.
        """
        return self._turn("redo", who, id, lambda: self._undone.get(who, {}))

    def _turn(self, verb: str, who: str, id: str | None, among: Callable[[], Mapping[str, Action]]) -> Action | None:
        with self._guard:
            found: list[Action] = []

            def line() -> dict[str, Any] | None:
                if id is not None and (known := self._known.get(id)):
                    if known.who != who:
                        raise WorkspaceError(f"this is a decision of {known.who}; only {known.who} can {verb} it")
                    found.append(known)
                elif id is None:
                    found.extend([action for action in among().values() if action.who == who][-1:])
                if not found or found[0].id not in among():
                    return None
                return {"id": uuid4().hex, "when": timestamp(), "who": who, verb: found[0].id}

            self._append(line)
            return found[0] if found else None

    def _append(self, line: Callable[[], dict[str, Any] | None]) -> None:
        """Append the line that ``line()`` returns; it is called under the lock, after the log is read to its end."""
        from filelock import FileLock, Timeout

        if self._in_store:
            raise WorkspaceError("decisions cannot be written to an object store; copy the workspace to this machine")
        try:
            with FileLock(self._lock_file, timeout=_LOCK_TIMEOUT):
                self.refresh()
                if (made := line()) is not None:
                    _write_line(self._file, json.dumps(made, ensure_ascii=True))
        except Timeout:
            raise WorkspaceError("another process keeps the decisions locked; stop it and try again") from None
        self.refresh()


def _write_line(file: Path, line: str) -> None:
    """Append a line in one write and sync it to disk; an incomplete line before it is ended first."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = b"\n" * torn + line.encode() + b"\n"
        try:
            if os.write(descriptor, data) < len(data):
                raise OSError(28, "No space left on device", str(file))
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if not size:  # a new file: sync its name too
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

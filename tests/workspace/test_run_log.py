"""The record of what made a workspace's rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from phrasebox.errors import WorkspaceError
from phrasebox.types import Caption, Example
from phrasebox.workspace.run_log import Run, began, ended, made, versions
from phrasebox.workspace.workspace import Workspace

A, B = (Run("import", {"source": name}, first={"images": 0}, started="then") for name in "ab")
REGIONS = Run("regions", {}, first={"regions": 0}, started="then")


def examples(*keys):
    return [Example(key, Path(key), (Caption("A dog ."),)) for key in keys]


def test_versions_name_what_numbers_depend_on():
    assert {"python", "machine", "phrasebox", "numpy", "torch"} <= versions().keys()


@pytest.mark.parametrize(
    ("before", "new", "after"),
    [
        ([], A, [A]),
        ([A], A, [A]),
        ([A], B, [B]),
        ([replace(A, finished=True)], B, [replace(A, finished=True), B]),
        ([replace(A, finished=True)], A, [A]),
        ([A, REGIONS], A, [A, REGIONS, A]),
        ([A], replace(A, first={"images": 2}), [A]),
    ],
    ids=["first", "goes on", "stopped before it added", "another", "adjacent again", "later again", "resumed"],
)
def test_a_run_that_begins(before, new, after):
    assert began(before, new) == after


def test_a_run_that_changed_nothing_is_forgotten():
    there = [replace(A, finished=True), REGIONS]
    assert ended(there, B, changed=False, finished=True) == there
    assert ended([A], A, changed=False, finished=True) == [replace(A, finished=True)]
    assert ended([A], A, changed=False, finished=False) == [A]
    assert ended([], A, changed=True, finished=False) == [A]
    assert ended([], A, changed=True, finished=True) == [replace(A, finished=True)]


def test_what_is_made_whole_takes_the_place_of_what_was_there():
    old, new = (Run("align", {}, seed=seed, makes="models/a") for seed in (0, 1))
    other = replace(old, makes="models/b")
    there = made(made([A], old, anew=True), other, anew=True)
    assert [run.seed for run in there] == [None, 0, 0]
    assert made(there, new, anew=True) == [A, there[2], replace(new, finished=True)]
    assert made(there, replace(old, started="later"), anew=False) == there


class TestWorkspace:
    def test_rows_are_told_apart_by_run(self, tmp_path):
        ws = Workspace.create(tmp_path / "ws")
        for keys in ("ab", "c"):
            with ws.running("import", {"source": keys}, {"digest": keys}, seed=3):
                ws.append_images(examples(*keys), [(1, 1)] * len(keys))
        with ws.running("import", {"source": "nothing new"}):
            pass
        first, second = ws.runs
        assert (first.first["images"], second.first["images"]) == (0, 2)
        assert first.finished
        assert second.finished
        assert first.seed == 3
        assert first.versions == versions()

    def test_a_killed_run_is_not_finished_and_goes_on(self, tmp_path):
        ws = Workspace.create(tmp_path / "ws")
        stopped = ws.running("import", {"source": "ab"})
        stopped.__enter__()  # and never left, as in a process that is killed
        ws.append_images(examples("a"), [(1, 1)])
        (run,) = ws.runs
        assert not run.finished
        with ws.running("import", {"source": "ab"}):
            ws.append_images(examples("b"), [(1, 1)])
        (run,) = ws.runs
        assert run.finished
        assert run.first["images"] == 0

    def test_an_error_leaves_an_unfinished_run_only_if_rows_were_added(self, tmp_path):
        ws = Workspace.create(tmp_path / "ws")

        def stopped(keys):
            with ws.running("import", {"source": "x"}):
                ws.append_images(examples(*keys), [(1, 1)] * len(keys))
                raise KeyboardInterrupt

        for keys in ("", "a"):
            with pytest.raises(KeyboardInterrupt):
                stopped(keys)
            assert [run.finished for run in ws.runs] == [False] * len(keys)

    def test_fresh_forgets_the_runs_whose_rows_are_gone(self, tmp_path):
        ws = Workspace.create(tmp_path / "ws")
        for stage in ("import", "regions", "ground"):
            ws.made(Run(stage, {}, makes=stage))
        ws.made(Run("align", {}, makes="models/aligner"))
        ws.claim("ground", {}, fresh=True)
        assert [run.stage for run in ws.runs] == ["import", "regions", "align"]
        ws.claim("regions", {}, fresh=True)
        assert [run.stage for run in ws.runs] == ["import"]

    @pytest.mark.parametrize("runs", [[{}], ["a run"], [{"stage": 1}]])
    def test_a_damaged_record_is_one_line(self, tmp_path, runs):
        ws = Workspace.create(tmp_path / "ws")
        file = ws.path / "manifest.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"runs": runs}))
        with pytest.raises(WorkspaceError, match=r"manifest\.json is damaged"):
            _ = ws.runs

    def test_a_workspace_of_an_older_version_has_no_runs(self, tmp_path):
        assert Workspace.create(tmp_path / "ws").runs == []

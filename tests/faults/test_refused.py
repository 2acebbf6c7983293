"""What the system or another process refuses: one line, an exit code, and a workspace that can go on."""

from __future__ import annotations

import json

import pytest
from killing import COMMANDS, command, left_in

from phrasebox import cli
from phrasebox.workspace.workspace import Workspace

WRITERS = ("import", "regions", "align", "ground", "caption")


@pytest.fixture
def goes_on(forks, stages, data):
    """Assert that a stage, now that nothing is in its way, leaves what it would have left at first."""

    def run(name, ws):
        ended = forks.run(*command(name, data, ws))
        assert ended.code == 0, ended.err
        assert left_in(ws) == stages[name].left

    return run


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk(name, forks, before, data, goes_on):
    """No file may grow larger: a write fails as on a full disk, and every stage meets it somewhere."""
    ws = before(name)
    exported = [*ws.glob("out/*")]
    for largest in (1_000, 4_000, 30_000):
        ended = forks.run(*command(name, data, ws), largest_file=largest)
        if not ended.code:
            break
        assert "File too large" in ended.reason or "read back" in ended.reason
        assert [*ws.glob("out/*")] == exported
    goes_on(name, ws)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_is_read_only(name, forks, before, data, goes_on):
    ws = before(name)
    if name not in WRITERS:
        (ws / "out").mkdir(exist_ok=True)
    folders = [ws, *(path for path in ws.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        ended = forks.run(*command(name, data, ws), powerless=True)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert "ermission denied" in ended.reason
    assert str(ws) in ended.reason
    goes_on(name, ws)


@pytest.mark.parametrize("name", COMMANDS)
def test_another_process_that_is_writing(name, forks, before, data, goes_on):
    ws = before(name)
    if name == "import":
        Workspace.create(ws)
    with Workspace(ws).lock():
        ended = forks.run(*command(name, data, ws))
        if name in WRITERS:
            assert "another phrasebox command is writing" in ended.reason
        else:
            assert ended.code == 0, ended.err
    goes_on(name, ws)


def test_an_import_that_comes_second_to_a_new_workspace_leaves_it_alone(data, tmp_path, monkeypatch, capsys):
    """Both found no workspace there; the other one has just taken the lock."""
    create = Workspace.create
    held = []

    def create_and_lose(path):
        made = create(path)
        held.append(Workspace(path).lock())
        held[-1].__enter__()
        return made

    monkeypatch.setattr(Workspace, "create", create_and_lose)
    with pytest.raises(SystemExit) as stop:
        cli.main(["import", str(data), str(tmp_path / "ws")])
    held[-1].__exit__(None, None, None)
    assert stop.value.code == 1
    assert "another phrasebox command is writing" in capsys.readouterr().err
    assert json.loads((tmp_path / "ws" / "manifest.json").read_text())

"""The log of decisions: what was answered is kept, whatever happens, and whoever writes beside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from phrasebox.errors import DataError
from phrasebox.types import Box
from phrasebox.workspace.decisions import NAME, Decision, Decisions

CAPTION = "a dog beside a cat"
BOX = Box(0, 0, 9, 9)


def decision(verdict="accept", key="1.png", who="ann", found=(0, 5), box=BOX, **changes) -> Decision:
    return Decision(verdict, key, CAPTION, found, box, found, changes.pop("to", box), (40, 20), who, **changes)


def test_the_last_one_holds_and_undo_brings_back_the_one_before(tmp_path):
    log = Decisions(tmp_path)
    first, second = decision(who="ann"), decision("reject", who="ben")
    other = decision("edit", found=(13, 18), to=Box(1, 1, 5, 5), whole_image=True, who="ann")
    for one in (first, second, other):
        log.add(one)
    assert log.of("1.png") == [second, other]
    assert log.undo("ann").decisions == (other,)  # her last, though not the last of all
    assert log.of("1.png") == [second]
    assert log.undo("ben").decisions == (second,)
    assert log.of("1.png") == [first]
    assert log.undo("ben") is None
    again = Decisions(tmp_path)
    again.refresh()
    assert (again.of("1.png"), again.standing(), again.keys) == ([first], [first], ["1.png"])
    assert len((tmp_path / NAME).read_text().splitlines()) == 5  # nothing is ever taken out


def test_others_see_what_is_written_and_what_it_is_about(tmp_path):
    writer, reader = Decisions(tmp_path), Decisions(tmp_path)
    assert reader.changed() == set()
    writer.add(decision(key="1.png"))
    writer.add(decision(key="2.png"))
    assert reader.changed() == {"1.png", "2.png"}
    writer.undo("ann")
    assert (reader.changed(), reader.changed()) == ({"2.png"}, set())
    os.remove(tmp_path / NAME)
    assert (reader.changed(), reader.standing()) == ({"1.png", "2.png"}, [])


def test_cut_short(tmp_path):
    log = Decisions(tmp_path)
    first, second = decision(), decision("reject", found=(13, 18))
    log.add(first)
    kept = (tmp_path / NAME).stat().st_size
    log.add(second)
    whole = (tmp_path / NAME).read_bytes()
    third = decision("reject", key="2.png")
    for end in [*range(kept, len(whole) - 2, 19), len(whole) - 2, len(whole) - 1]:
        (tmp_path / "cut").mkdir(exist_ok=True)
        (tmp_path / "cut" / NAME).write_bytes(whole[:end])
        cut = Decisions(tmp_path / "cut")
        cut.refresh()
        assert cut.standing() == [first]
        cut.add(third)
        after = Decisions(tmp_path / "cut")
        after.refresh()
        assert [one for one in after.standing() if one != second] == [first, third]
        assert (second in after.standing()) == (end == len(whole) - 1)  # all of it was there but the end of the line


@pytest.mark.parametrize(
    "line", ["{}", "[]", "no JSON", '{"undo": "unknown"}', '{"verdict": "accept"}', "\xff", "[" * 99]
)
def test_a_damaged_line_spoils_no_other(tmp_path, line):
    log = Decisions(tmp_path)
    log.add(decision())
    with (tmp_path / NAME).open("a", encoding="latin-1") as file:
        file.write(line + "\n")
    log.add(decision("reject", found=(13, 18)))
    again = Decisions(tmp_path)
    again.refresh()
    assert again.standing() == log.standing()
    assert len(log.standing()) == 2


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path, monkeypatch):
    log = Decisions(tmp_path)
    log.add(decision())
    before = (tmp_path / NAME).read_bytes()
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: write(file, data[:7]))
        with pytest.raises(OSError, match="No space left"):
            log.add(decision("reject", found=(13, 18)))
    assert (tmp_path / NAME).read_bytes() == before
    log.add(decision("reject", found=(13, 18)))
    assert len(log.standing()) == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"found": (3, 3)}, "outside the caption"),
        ({"found": (0, 99)}, "outside the caption"),
        ({"verdict": "maybe"}, "not a valid decision"),
    ],
)
def test_refused(changes, told):
    with pytest.raises(DataError, match=told):
        decision(**changes)


_WRITER = """
import sys
from pathlib import Path
from phrasebox.workspace.decisions import Decision, Decisions
from phrasebox.types import Box
log, who, count = Decisions(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
for n in range(count):
    made = Decision("accept", f"{who}-{n}.png", "a dog", (0, 5), Box(0, 0, 9, 9), (0, 5), Box(0, 0, 9, 9), (9, 9), who)
    log.add(made)
    print(made.id, flush=True)
"""


def writer(folder, who, count):
    command = [sys.executable, "-c", _WRITER, str(folder), who, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_and_one_that_is_killed(tmp_path):
    doomed, other = writer(tmp_path, "doomed", 1_000_000), writer(tmp_path, "other", 40)
    answered = [doomed.stdout.readline().strip() for _ in range(20)]
    doomed.send_signal(signal.SIGKILL)
    answered += doomed.stdout.read().split()
    written = other.communicate()[0].split()
    assert (doomed.wait(), other.returncode, len(written)) == (-signal.SIGKILL, 0, 40)
    log = Decisions(tmp_path)
    log.add(decision())
    ids = {one.id for one in log.standing()}
    assert ids >= {*answered, *written}
    lines = (tmp_path / NAME).read_bytes().splitlines()
    whole = [line for line in lines if line.endswith(b"}")]
    assert len(lines) - len(whole) <= 1  # the one it was killed in
    assert all(json.loads(line)["id"] in ids for line in whole)

"""Several people and many phrases: what is undone, done again, sent twice, or changed by somebody else meanwhile."""

from __future__ import annotations

import pytest
from to_review import DOG, lines

from phrasebox.errors import DataError, WorkspaceError
from phrasebox.review import ChangedError, PhraseFilter, Review
from phrasebox.workspace.workspace import Workspace


def test_many_at_once_are_undone_at_once_and_done_again(ws, sure):
    sure.decide("1.png#0#13-18", "reject", "ben")
    wanted = PhraseFilter(max_confidence=0.5)
    with pytest.raises(ChangedError, match="4 phrases match by now, not 6") as error:
        sure.decide_many("accept", "ann", wanted, count=6)
    assert error.value.count == 4
    done = sure.decide_many("accept", "ann", wanted, count=4, decision="many")
    assert (done.count, {one.state for one in done.phrases}, done.decision) == (4, {"accepted"}, "many")
    assert len(lines(ws.path / "decisions.jsonl")) == 2
    after = Review(Workspace(ws.path)).progress()
    assert (after.accepted, after.rejected, after.open) == (4, 1, 4)
    undone = sure.undo("ann")
    assert (undone.count, sure.progress().accepted, sure.progress().rejected) == (4, 0, 1)
    sure.decide(DOG, "reject", "ben")  # meanwhile
    again = sure.redo("ann")
    assert (again.decision, sure.progress().accepted, sure.phrase(DOG).who) == ("many", 3, "ben")
    assert sure.redo("ann") is None
    sure.undo("ann")
    sure.decide("3.png#0#0-5", "accept", "ann")
    assert sure.redo("ann") is None  # there is a new decision


def test_the_rest_of_a_picture_but_what_changed(ws, review):
    shown = review.page(PhraseFilter(key="1.png")).phrases
    Review(Workspace(ws.path)).decide(DOG, "edit", "ben", text="dog")
    done = review.decide_many("accept", "ann", [(one.id, one.version) for one in shown])
    assert (done.count, done.changed) == (2, (DOG,))
    assert [one.state for one in review.page(PhraseFilter(key="1.png")).phrases] == ["edited", "accepted", "accepted"]
    nothing = review.decide_many("accept", "ann", [("nothing", None)])
    assert (nothing.count, nothing.changed) == (0, ("nothing",))
    with pytest.raises(DataError, match="choose the state open"):
        review.decide_many("accept", "ann", PhraseFilter(state="accepted"))


def test_nobody_takes_back_what_is_anothers(ws, review):
    review.decide(DOG, "accept", "ben", decision="one-of-ben")
    assert review.undo("ann") is None
    with pytest.raises(WorkspaceError, match="only ben can undo it"):
        review.undo("ann", "one-of-ben")
    assert review.phrase(DOG).state == "accepted"


def test_a_phrase_that_changed_is_not_overwritten(ws, review):
    shown = review.phrase(DOG)
    other = Review(Workspace(ws.path))
    other.decide(DOG, "reject", "ben")
    with pytest.raises(ChangedError, match="changed by ben") as error:
        review.decide(DOG, "accept", "ann", version=shown.version)
    assert (error.value.phrase.who, review.phrase(DOG).state) == ("ben", "rejected")
    assert review.decide(DOG, "accept", "ann", version=error.value.phrase.version).state == "accepted"
    review.undo("ann")
    other.undo("ben")
    assert review.phrase(DOG).version == shown.version  # it is what was shown again


def test_a_decision_sent_twice_is_stored_once(ws, review):
    first = review.decide(DOG, "accept", "ann", decision="one-of-ann")
    assert review.decide(DOG, "accept", "ann", version="an old one", decision="one-of-ann") == first
    assert len(lines(ws.path / "decisions.jsonl")) == 1
    with pytest.raises(DataError, match="another reviewer"):
        review.decide(DOG, "accept", "ben", decision="one-of-ann")
    assert review.undo("ann", "one-of-ann").phrases[0].state == "open"
    assert review.undo("ann", "one-of-ann").phrases[0].state == "open"  # sent again: still undone, and nothing else
    assert len(lines(ws.path / "decisions.jsonl")) == 2


def test_the_pace_is_of_single_decisions(ws, review):
    assert (review.progress().pace, review.progress().minutes_left) == (0.0, None)
    review.decide_many("accept", "ann", PhraseFilter(key="1.png"))
    assert review.progress().pace == 0.0
    review.decide("3.png#0#0-5", "accept", "ann")
    review.decide("3.png#0#13-18", "accept", "ann")
    progress = review.progress()
    assert (progress.pace, progress.minutes_left) == (2.0, 2.0)


def test_two_people_in_two_processes(ws, review):
    other = Review(Workspace(ws.path))
    assert other.progress().accepted == 0
    review.decide(DOG, "accept", "ann")
    assert (other.phrase(DOG).who, other.progress().accepted) == ("ann", 1)
    other.decide(DOG, "reject", "ben")
    assert review.phrase(DOG).state == "rejected"
    other.undo("ben")
    assert review.phrase(DOG).who == "ann"

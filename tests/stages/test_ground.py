"""What `phrasebox ground` makes of captions, and how it goes on after a stop."""

from __future__ import annotations

import pytest

from phrasebox.stages import ground as job
from phrasebox.workspace.workspace import Workspace

SMALL = ("--backbone", "efficientnet-lite0", "--size", "96", "--proposer", "grid", "--density", "27", "--regions", "27")


def phrases(ws):
    return sorted(
        (image.key, caption.text, p.text, p.span, tuple(p.box), round(p.score, 4))
        for image in Workspace(ws).grounded()
        for caption in image.captions
        for p in caption.phrases
    )


def test_all_captions_and_a_second_time(at, call, model):
    ws = at("regions")
    first = call("ground", ws, "--model", model, "--json")
    assert (first.code, first.err) == (0, "")
    made = phrases(ws)
    assert first.json == {"images": 5, "captions": 10, "pairs": len(made), "new_images": 5}
    assert made
    assert all(text[start:end] == phrase for _, text, phrase, (start, end), *_ in made)
    assert "0 of them new" in call("ground", ws, "--model", model).out
    assert phrases(ws) == made


def test_stopped_it_goes_on_to_the_same_rows(at, call, model, stages, monkeypatch):
    ws = at("regions")
    monkeypatch.setattr(job, "_BATCH", 2)
    append, calls = Workspace.append_phrases, []

    def stop_at_the_second(self, grounded):
        calls.append(len(grounded))
        if len(calls) == 2:
            raise KeyboardInterrupt
        append(self, grounded)

    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "append_phrases", stop_at_the_second)
        assert call("ground", ws, "--model", model).code == 130
    assert call("ground", ws, "--model", model, "--json").json["new_images"] == 3
    assert phrases(ws) == phrases(stages / "ground")


def test_another_beta_needs_fresh(at, call, model):
    ws = at("ground")
    assert "--fresh" in call("ground", ws, "--model", model, "--beta", "0.5").reason
    assert call("ground", ws, "--model", model, "--beta", "100", "--fresh").code == 0
    assert Workspace(ws).stages["ground"]["beta"] == 100
    assert len(phrases(ws)) > 10


def test_noun_phrases_and_verbs_are_not_mixed(at, call, model):
    ws = at("ground")
    nouns = phrases(ws)
    assert "phrases='nouns'" in call("ground", ws, "--model", model, "--verbs").reason
    assert call("ground", ws, "--model", model, "--verbs", "--fresh").code == 0
    assert "phrases" not in Workspace(ws).stages["ground"]  # as earlier versions recorded it
    assert "0 of them new" in call("ground", ws, "--model", model, "--verbs").out
    assert phrases(ws) != nouns
    assert "--fresh" in call("ground", ws, "--model", model).reason


def test_a_beta_that_cannot_be_is_not_recorded(at, call, model):
    ws = at("regions")
    assert "beta must be at least 0" in call("ground", ws, "--model", model, "--beta", "-1").reason
    assert call("ground", ws, "--model", model).code == 0


def test_images_imported_later_are_grounded_later(at, photographs, karpathy, call, model):
    ws = at("ground")
    (photographs / "coffee.png").rename(photographs / "later.png")
    assert call("import", karpathy({"later.png": ["A cup of coffee ."]}), ws).code == 0
    assert call("regions", ws, *SMALL, "--json").json["new"] == 1
    assert call("ground", ws, "--model", model, "--json").json["new_images"] == 1
    assert "later.png" in {key for key, *_ in phrases(ws)}


def test_captions_without_words_have_no_phrases(karpathy, call, model, tmp_path):
    ws = tmp_path / "ws"
    assert call("import", karpathy({"coffee.png": ["...", "A cup ."], "chelsea.png": []}), ws).code == 0
    assert (
        call(
            "regions",
            ws,
            *SMALL,
        ).code
        == 0
    )
    assert call("ground", ws, "--model", model, "--json").json["captions"] == 2
    assert {text for _, text, *_ in phrases(ws)} == {"A cup ."}
    assert call("ground", ws, "--model", model, "--json").json["new_images"] == 0


def no_config(folder):
    return folder, "is not a model folder: no readable config.json"


def not_there(folder):
    return folder / "absent", "there is no model folder"


def damaged(folder):
    (folder / "config.json").write_text("{")
    return folder, "config.json is damaged"


@pytest.mark.parametrize("prepare", [no_config, not_there, damaged])
def test_a_folder_that_is_no_model(prepare, at, call, tmp_path):
    (tmp_path / "model").mkdir()
    folder, message = prepare(tmp_path / "model")
    assert message in call("ground", at("regions"), "--model", folder).reason

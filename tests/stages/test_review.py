"""Export tasks, correct them, import them again: what people made of a caption stands for it from then on."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from phrasebox.errors import WorkspaceError
from phrasebox.stages.export import export
from phrasebox.stages.import_ import import_source
from phrasebox.types import Box, Caption, Example, GroundedCaption, Phrase
from phrasebox.workspace.workspace import Workspace

CAPTIONS = ("a dog beside a cat", "two animals")


def decoded(text: str, start: int, end: int) -> Phrase:
    return Phrase(text[start:end], (start, end), Box(0, 0, 20, 20), 0.4, 0.3, region=2)


@pytest.fixture
def ws(tmp_path) -> Workspace:
    """Two images with the same captions, both grounded."""
    ws = Workspace.create(tmp_path / "ws")
    (tmp_path / "photos").mkdir()
    for name in ("1.png", "2.png"):
        Image.new("RGB", (40, 20)).save(tmp_path / "photos" / name)
        example = Example(name, tmp_path / "photos" / name, tuple(map(Caption, CAPTIONS)))
        ws.append_images([example], [(40, 20)])
        first, second = CAPTIONS
        found = (
            GroundedCaption(first, (decoded(first, 0, 5), decoded(first, 13, 18))),
            GroundedCaption(second, (decoded(second, 4, 11),)),
        )
        ws.append_phrases({name: found})
    return ws


def tasks_of(ws: Workspace, folder) -> list[dict]:
    export(ws, folder, "label-studio")
    return json.loads((folder / "tasks.json").read_text(encoding="utf-8"))


def annotated(task: dict, keep: int, **place: float) -> dict:
    """A task as Label Studio exports it: of the boxes the first few kept, and moved."""
    result = task["predictions"][0]["result"][: 2 * keep]
    for part in result:
        part["value"] |= place
    return task | {"annotations": [{"result": result, "was_cancelled": False}]}


def import_tasks(ws: Workspace, tasks: list[dict], tmp_path):
    (tmp_path / "export.json").write_text(json.dumps(tasks), encoding="utf-8")
    return import_source(ws, tmp_path / "export.json", quiet=True)


def told(ws: Workspace) -> dict[str, list[list[tuple]]]:
    return {
        image.key: [[(p.text, tuple(p.box), p.reviewed) for p in caption.phrases] for caption in image.captions]
        for image in ws.grounded()
    }


DOG, CAT, ANIMALS = ((text, (0, 0, 20, 20), False) for text in ("a dog", "a cat", "animals"))


def test_corrections_take_the_place_of_what_was_decoded(ws, tmp_path):
    tasks = tasks_of(ws, tmp_path / "tasks")
    assert [task["data"]["key"] for task in tasks] == ["1.png", "1.png", "2.png", "2.png"]
    corrected = [annotated(tasks[0], keep=1, x=50, y=0, width=50, height=50), annotated(tasks[3], keep=0)]
    done = import_tasks(ws, [corrected[0], tasks[1], tasks[2], corrected[1]], tmp_path)
    assert (done.images, done.reviewed, done.truth, done.skipped) == (0, 2, 0, 0)
    moved = ("a dog", (20, 0, 40, 10), True)
    expected = {"1.png": [[moved], [ANIMALS]], "2.png": [[DOG, CAT], []]}
    assert told(ws) == expected
    phrase = next(ws.grounded()).captions[0].phrases[0]
    assert (phrase.score, phrase.confidence, phrase.region, phrase.span) == (1, 1, -1, (0, 5))
    assert not list(ws.truth())

    again = import_tasks(ws, corrected, tmp_path)  # the same, and then a second thought
    assert (again.reviewed, ws.count("reviewed")) == (2, 2)
    assert told(ws) == expected
    import_tasks(ws, [annotated(tasks_of(ws, tmp_path / "again")[0], keep=1, x=0, width=25)], tmp_path)
    assert told(ws)["1.png"] == [[("a dog", (0, 0, 10, 10), True)], [ANIMALS]]


def test_they_outlive_a_fresh_decoding_and_reach_exports(ws, tmp_path):
    import_tasks(ws, [annotated(task, keep=1) for task in tasks_of(ws, tmp_path / "tasks")[:1]], tmp_path)
    ws.claim("ground", {"beta": 1}, fresh=True)
    ws.optimize()
    assert told(ws) == {"1.png": [[("a dog", (0, 0, 20, 20), True)], []]}
    assert export(ws, tmp_path / "pairs.jsonl", "odvg").phrases == 1
    assert json.loads((tmp_path / "pairs.jsonl").read_text().splitlines()[0])["grounding"]["regions"] == [
        {"bbox": [0, 0, 20, 20], "phrase": "a dog", "tokens_positive": [[0, 5]]}
    ]
    assert sorted(ws.pending("phrases", "ground")) == ["1.png", "2.png"]


def test_a_new_workspace_from_corrected_tasks(ws, tmp_path):
    tasks = [annotated(task, keep=1) for task in tasks_of(ws, tmp_path / "tasks")]
    (tmp_path / "photos" / "export.json").write_text(json.dumps(tasks), encoding="utf-8")
    new = Workspace.create(tmp_path / "new")
    done = import_source(new, tmp_path / "photos" / "export.json", quiet=True)
    assert (done.images, done.captions, done.reviewed, done.truth) == (2, 4, 4, 0)
    assert told(new)["2.png"] == [[("a dog", (0, 0, 20, 20), True)], [("animals", (0, 0, 20, 20), True)]]


def test_boxes_of_a_picture_of_another_size_are_scaled(ws):
    from phrasebox.types import TruePhrase

    made = Caption(CAPTIONS[1], (TruePhrase("animals", (4, 11), (Box(0, 0, 40, 40),)),), reviewed=True)
    ws.put_reviewed([Example("1.png", ws.path, (made,), size=(80, 80))])
    assert told(ws)["1.png"][1] == [("animals", (0, 0, 20, 10), True)]


def test_a_caption_that_the_image_does_not_have_is_reported(ws, tmp_path):
    task = annotated(tasks_of(ws, tmp_path / "tasks")[0], keep=1)
    task["data"]["caption"] = "a dog of another caption"
    done = import_tasks(ws, [task], tmp_path)
    assert (done.reviewed, done.skipped) == (0, 1)
    assert [(one.key, one.reason) for one in ws.skipped("import")] == [
        ("1.png", "has no caption 'a dog of another caption'")
    ]


def test_nothing_to_write_is_said_and_nothing_is_left(tmp_path):
    empty = Workspace.create(tmp_path / "empty")
    for format in ("label-studio", "odvg", "yolo"):
        with pytest.raises(WorkspaceError, match="has no phrases yet; run: phrasebox ground"):
            export(empty, tmp_path / "out" / "pairs", format)
    for format in ("karpathy", "coco"):
        with pytest.raises(WorkspaceError, match="has no captions; import some"):
            export(empty, tmp_path / "out" / "pairs", format)
    assert not list((tmp_path / "out").iterdir())


def test_captions_are_exported_before_anything_is_grounded(ws, tmp_path):
    ws.drop("phrases")
    assert export(ws, tmp_path / "dataset.json", "karpathy").captions == 4
    with pytest.raises(WorkspaceError, match="no phrases yet"):
        export(ws, tmp_path / "pairs", "fiftyone")


def test_all_phrases_left_out(ws, tmp_path):
    with pytest.raises(WorkspaceError, match=r"all 6 phrases of .* are omitted; lower --min-confidence"):
        export(ws, tmp_path / "pairs", "yolo", min_confidence=0.5)
    assert not list(tmp_path.glob("pairs*"))

"""What the page asks for besides the models: the workspace at a glance, review, search pages, evidence, exports."""

from __future__ import annotations

import io
import itertools
import json
import zipfile

import numpy as np
import pytest

from phrasebox.formats import WRITERS
from phrasebox.web.summary import principal

CAT = "in a folder/chelsea.png"


def test_what_there_is(client):
    told = client.get("/api/workspace").json()
    assert (told["name"], told["has_workspace"], told["has_captioner"], told["loading"]) == ("ws", True, True, None)
    assert told["limits"]["page"] == 200
    first = told["samples"][0]
    assert client.get(f"/api/samples/{first['name']}").content[:2] == b"\xff\xd8"
    assert len(first["captions"]) == 2


def test_every_bar_counts_what_its_filter_finds(client):
    told = client.get("/api/summary").json()
    phrases = client.get("/api/phrases", params={"limit": 200}).json()
    assert told["counts"]["phrases"] == phrases["total"] == told["review"]["total"]
    assert (told["counts"]["images"], told["counts"]["captions"], told["counts"]["regions"]) == (5, 10, 5)
    assert [(one["split"], one["images"]) for one in told["splits"]] == [("train", 4), ("val", 1)]
    assert sum(one["phrases"] for one in told["splits"]) == phrases["total"]
    for bars in ("words", "lengths", "confidence"):
        assert told[bars]
        for bar in told[bars]:
            found = client.get("/api/phrases", params={**bar["filter"], "limit": 1}).json()["total"]
            assert found == bar["count"], bar
    assert sum(bar["count"] for bar in told["lengths"]) == phrases["total"]
    assert {"the", "a", "of"}.isdisjoint(bar["text"] for bar in told["words"])
    assert told["next"] == [{"what": "nothing was measured", "command": "phrasebox evaluate WS", "job": "evaluate"}]


def test_a_map_of_the_pictures(client):
    told = client.get("/api/map").json()
    assert (told["total"], len(told["keys"]), set(told["splits"])) == (5, 5, {"train", "val"})
    for axis in ("x", "y"):
        assert max(told[axis]) == 1.0  # the farthest is positive
        assert min(told[axis]) >= -1.0
    assert 0 < told["explained"][1] <= told["explained"][0] <= 1
    assert client.get("/api/map").json() == told
    assert len(client.get("/api/map?limit=3").json()["keys"]) == 3


@pytest.mark.parametrize("shape", [(6, 3), (3, 8), (1, 4), (2, 2)])
def test_principal_components_are_those_of_an_svd(shape):
    vectors = np.random.default_rng(0).normal(size=shape)
    points, explained = principal(vectors)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    u, s, _ = np.linalg.svd(unit - unit.mean(0), full_matrices=False)
    for axis in range(min(2, len(s))):
        if s[axis] > 1e-9:
            expected = u[:, axis] * s[axis]
            assert np.allclose(points[:, axis], expected / expected[np.abs(expected).argmax()])
            assert np.isclose(explained[axis], s[axis] ** 2 / (s**2).sum())


def test_a_picture_by_its_key_and_its_regions(client):
    listed = client.get("/api/images", params={"key": CAT}).json()
    assert (listed["total"], listed["images"][0]["key"], len(listed["images"][0]["captions"])) == (1, CAT, 2)
    regions = client.get("/api/regions", params={"image": CAT}).json()
    assert (regions["width"], regions["height"], len(regions["boxes"][0])) == (120, 80, 4)


def test_a_changed_phrase_a_retry_and_an_undo(client):
    phrase = client.get("/api/phrases", params={"limit": 1}).json()["phrases"][0]
    body = {"id": phrase["id"], "version": phrase["version"], "verdict": "accept"}
    ann = client.post("/api/phrases/decide", json=body | {"who": "ann", "decision": "first-of-ann"})
    again = client.post("/api/phrases/decide", json=body | {"who": "ann", "decision": "first-of-ann"})
    assert ann.json() == again.json()
    late = client.post("/api/phrases/decide", json=body | {"who": "ben", "decision": "first-of-ben"})
    assert (late.status_code, late.json()["phrase"]["who"]) == (409, "ann")
    assert "changed by ann" in late.json()["error"]
    other = client.post("/api/phrases/undo", json={"who": "ben", "decision": "first-of-ann"})
    assert (other.status_code, "only ann" in other.json()["error"]) == (409, True)
    undone = client.post("/api/phrases/undo", json={"who": "ann"}).json()
    assert (undone["decision"], undone["count"], undone["phrase"]) == ("first-of-ann", 1, phrase)
    assert client.post("/api/phrases/redo", json={"who": "ann"}).json()["phrase"]["state"] == "accepted"
    assert client.get("/api/phrases/one", params={"id": phrase["id"]}).json()["who"] == "ann"


def test_many_at_once(client):
    page = client.get("/api/phrases/pictures", params={"limit": 2, "sort": "confidence"}).json()
    assert (page["total"], len(page["pictures"])) == (5, 2)
    picture = page["pictures"][0]
    assert picture["matching"] == [phrase["id"] for phrase in picture["phrases"]]
    listed = [{"id": phrase["id"], "version": phrase["version"]} for phrase in picture["phrases"]]
    rest = {"verdict": "accept", "who": "ann", "phrases": listed, "decision": "rest-of-picture"}
    done = client.post("/api/phrases/decide-many", json=rest).json()
    assert (done["count"], done["changed"]) == (len(listed), [])
    wanted = {"verdict": "accept", "who": "ann", "filter": {"min_confidence": 0.0}}
    wrong = client.post("/api/phrases/decide-many", json=wanted | {"count": 1})
    left = page["phrases"] - len(listed)
    assert (wrong.status_code, wrong.json()["count"]) == (409, left)
    assert client.post("/api/phrases/decide-many", json=wanted | {"count": left}).json()["count"] == left
    assert client.get("/api/phrases/progress").json()["open"] == 0
    assert client.post("/api/phrases/undo", json={"who": "ann"}).json()["count"] == left
    bars = client.get("/api/phrases/histogram").json()["bars"]
    assert (sum(bar["count"] for bar in bars), sum(bar["open"] for bar in bars)) == (page["phrases"], left)


def test_pages_of_a_search_are_the_whole_ranking(client):
    asked = {"sentence": "a red cat", "k": 5}
    whole = client.get("/api/search", params=asked).json()
    pages = [client.get("/api/search", params=asked | {"k": 2, "offset": at}).json() for at in (0, 2, 4)]
    assert [hit["key"] for page in pages for hit in page["hits"]] == [hit["key"] for hit in whole["hits"]]
    assert [page["more"] for page in pages] == [True, True, False]
    assert (whole["hits"][0]["width"], whole["hits"][0]["height"]) != (0, 0)
    weak = [rank for rank, hit in enumerate(whole["hits"]) if hit["weak"]]
    assert whole["weak_from"] == (weak[0] if weak else None)
    like = [client.post("/api/like", json={"image": CAT, "k": 2, "offset": at}).json() for at in (0, 2, 4)]
    assert len({hit["key"] for page in like for hit in page["images"]}) == 5
    assert [page["more"] for page in like] == [True, True, False]


def test_evidence_of_a_grounding_in_one_answer(client):
    asked = {"image": CAT, "sentence": "A tabby cat with green eyes", "matrix": True}
    for beta in (0.0, 0.2, 1e6):
        told = client.post("/api/ground", json=asked | {"beta": beta}).json()
        runs = told["segments"]
        assert [run["start"] for run in runs] == [0, *(run["end"] for run in runs[:-1])]
        assert runs[-1]["end"] == len(told["words"])
        assert all(a["region"] != b["region"] for a, b in itertools.pairwise(runs))
        assert all(run["box"] == told["boxes"][run["region"]] for run in runs)
        assert len(told["regions"]) == len(told["phrases"])
        if beta == 0:  # without the chain every word has its own best region
            assert [run["region"] for run in runs for _ in range(run["start"], run["end"])] == told["best"]
    assert len(runs) == 1


@pytest.mark.parametrize("format", sorted(WRITERS))
def test_exports_are_downloaded(client, format):
    answer = client.get("/api/exports/download", params={"format": format, "min_confidence": 0.0})
    assert answer.status_code == 200, answer.text
    assert f'filename="ws-{format}.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        assert zipped.testzip() is None
        assert all(name.startswith(f"ws-{format}") for name in zipped.namelist())


def test_a_selection_is_exported(client):
    chosen = {"format": "odvg", "image": [CAT, "in a folder/rocket.jpg"]}
    with zipfile.ZipFile(io.BytesIO(client.get("/api/exports/download", params=chosen).content)) as zipped:
        lines = zipped.read("ws-odvg.jsonl").splitlines()
    assert {json.loads(line)["filename"] for line in lines} == set(chosen["image"])
    nothing = client.get("/api/exports/download", params=chosen | {"image": "nothing"})
    assert (nothing.status_code, "choose others" in nothing.json()["error"]) == (409, True)


def test_an_export_is_counted_before(client, ws):
    everything = client.get("/api/exports/count").json()
    assert (everything["images"], everything["captions"]) == (5, 10)
    assert everything["phrases"] == everything["all_phrases"] == client.get("/api/phrases").json()["total"]
    sure = client.get("/api/exports/count", params={"min_confidence": 1.0}).json()
    assert (sure["phrases"], sure["all_phrases"]) == (0, everything["phrases"])
    assert client.get("/api/exports/download", params={"format": "odvg", "min_confidence": 1.0}).status_code == 409
    assert client.get("/api/exports/count", params={"reviewed": True}).json()["images"] == 0
    assert not any(run.stage == "export" for run in ws.runs)
    named = {one["name"]: one for one in client.get("/api/exports").json()["formats"]}
    assert (set(named), named["coco"]["captions_only"]) == (set(WRITERS), True)


def test_a_picture_is_added_once_with_new_captions(client, ws, photograph):
    def add(**data):
        return client.post("/api/images", files={"image": ("../My Cat.PNG", photograph)}, data=data)

    first = add(captions='["a cat", " a  cat ", ""]', split="val")
    assert first.status_code == 201
    told = first.json()
    assert (told["captions"], told["split"], told["known"], told["width"]) == (["a cat"], "val", False, 80)
    again = add(captions='["a cat", "a dog"]').json()
    assert (again["key"], again["captions"], again["known"]) == (told["key"], ["a cat", "a dog"], True)
    assert client.get("/api/images", params={"split": "val"}).json()["total"] == 2
    assert client.get(f"/api/images/{told['key']}").status_code == 200
    assert (ws.path / "pictures" / told["key"]).read_bytes() == photograph
    steps = client.get("/api/summary").json()["next"]
    assert steps[0]["job"] == "regions"
    with ws.lock():
        assert add(captions="[]").status_code == 409


def test_one_table_a_measure_with_runs_as_rows(client, ws):
    empty = client.get("/api/results").json()["empty"]
    assert empty["command"].startswith("phrasebox evaluate")
    for folder, split, recall in (("results", "val", 31.0), ("jobs/1", "val", 29.0), ("jobs/2", "train", 90.0)):
        (ws.path / folder).mkdir(parents=True)
        name = f"{split}.json" if folder == "results" else "results.json"
        row = f'{{"direction": "to images", "R@1": {recall}, "R@1 sd": 1.0}}'
        (ws.path / folder / name).write_text(f'[{{"protocol": "retrieval", "split": "{split}", "rows": [{row}]}}]')
    job = {"started": "2026-01-02T03:04:05.678+00:00", "options": {"model": "/home/ann/mine"}}
    (ws.path / "jobs/1/job.json").write_text(json.dumps(job))
    (measure,) = client.get("/api/results").json()["measures"]
    assert (measure["measure"], measure["columns"]) == ("retrieval", ["direction", "R@1"])
    rows = [(row["run"], row["trained_on"], row["values"]) for row in measure["rows"]]
    assert rows == [
        ("val", False, ["to images", 31.0]),
        ("2", True, ["to images", 90.0]),
        ("mine, 2026-01-02 03:04", False, ["to images", 29.0]),
    ]

"""What both page and API stand on."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from starlette.testclient import TestClient

from phrasebox.errors import DataError, NotFoundError, SettingsError
from phrasebox.io.images import load_image
from phrasebox.types import Caption, Example
from phrasebox.web import Limits, Service
from phrasebox.web.app import build

CAT = "in a folder/chelsea.png"
SENTENCE = "A tabby cat with green eyes looks to the side ."


@pytest.fixture
def service(shared_ws, aligner, captioner):
    service = Service(shared_ws, aligner, captioner)
    yield service
    service.close()


def run(awaitable):
    return asyncio.run(awaitable)


def test_an_image_of_the_workspace_is_grounded_as_the_stages_did(service, shared_ws):
    found = run(service.ground(CAT, SENTENCE))
    image = next(image for image in shared_ws.grounded() if image.key == CAT)
    expected = next(caption for caption in image.captions if caption.text == SENTENCE)
    assert [(p.text, p.region) for p in found.grounding.phrases] == [(p.text, p.region) for p in expected.phrases]
    assert (found.key, found.to_json()["image"]) == (CAT, CAT)


def test_an_upload_is_grounded_as_the_aligner_does(service, aligner, images):
    data = (images / CAT).read_bytes()
    found = run(service.ground(data, SENTENCE, 0.3))
    expected = aligner.ground(load_image(images / CAT), SENTENCE, 0.3)
    assert found.to_json() == {"image": "", **expected.to_json()}
    told = found.to_json(matrix=True)
    assert np.allclose(told["scores"], expected.scores, atol=1e-5)
    assert told["assignment"] == expected.assignment.tolist()
    assert [SENTENCE[word["start"] : word["end"]] for word in told["words"]] == [word["text"] for word in told["words"]]
    assert len(told["boxes"]) == len(told["scores"][0])


def test_another_beta_runs_no_network(service, aligner, photograph, monkeypatch):
    found = run(service.ground(photograph, SENTENCE))
    fresh = [aligner.ground(found.grounding.regions, SENTENCE, beta) for beta in (0.0, 0.1, 5.0)]
    with monkeypatch.context() as broken:
        for network in ("regions", "ground", "word_scores"):
            broken.setattr(aligner, network, None)
        for expected in fresh:
            assert found.at(expected.beta).to_json() == {"image": "", **expected.to_json()}
            again = run(service.ground(photograph, SENTENCE, expected.beta))  # asked anew: what was is remembered
            assert again.to_json() == {"image": "", **expected.to_json()}
    assert len({tuple(one.assignment.tolist()) for one in fresh}) > 1
    for beta in (-1, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match="beta"):
            found.at(beta)


def test_regions_of_an_upload_are_made_once(service, aligner, photograph, monkeypatch):
    run(service.ground(photograph, "a dog"))
    monkeypatch.setattr(type(service), "pixels", None)
    assert run(service.ground(photograph, "a cat")).grounding.caption == "a cat"
    assert run(service.describe(photograph)).key == ""  # made the same way for both models


def test_models_are_loaded_once_and_late(shared_ws, aligner_folder, photograph, monkeypatch):
    from phrasebox.aligner import Aligner

    loads = []
    load = Aligner.load
    monkeypatch.setattr(Aligner, "load", lambda *given: loads.append(given) or load(*given))
    service = Service(shared_ws, aligner_folder)
    assert loads == []

    async def several():
        return await asyncio.gather(*(service.ground(photograph, f"a dog {n}") for n in range(4)))

    assert [one.grounding.caption for one in run(several())] == [f"a dog {n}" for n in range(4)]
    assert len(loads) == 1
    service.close()


def test_descriptions(service, captioner, images):
    data = (images / CAT).read_bytes()
    assert run(service.describe(CAT, 3)).to_json()["image"] == CAT
    plain = run(service.describe(data, 3))
    assert plain.to_json() == captioner.describe(load_image(images / CAT), 3).to_json()
    own = run(service.describe(data, boxes=[(0, 0, 50, 40), (10, 10, 60, 60)], count=2))
    assert [tuple(one.box) for one in own.regions] == [(0, 0, 50, 40), (10, 10, 60, 60)]
    drawn = [run(service.describe(data, 0, temperature=3.0, count=3, seed=seed)).captions for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_search_and_like(service):
    hits = run(service.search("a cat", 3)).hits
    assert len(hits) == 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(hit.box is not None for hit in run(service.search("a cat", 3, region=True)).hits)
    similar, more = run(service.like(CAT, 2))
    assert (similar.images[0].key, more) == (CAT, True)


@pytest.mark.parametrize(
    ("ask", "kind", "told"),
    [
        (lambda s: s.ground(CAT, " \n "), DataError, "the sentence is empty"),
        (lambda s: s.ground(CAT, "?!"), DataError, "has no words"),
        (lambda s: s.ground(CAT, "word " * 300), DataError, "1499 characters"),
        (lambda s: s.ground("unknown", "a cat"), NotFoundError, "no image of this name"),
        (lambda s: s.ground(CAT, "a cat", -1), SettingsError, "beta"),
        (lambda s: s.describe(CAT, 51), SettingsError, "at most 50 regions"),
        (lambda s: s.describe(CAT, count=9), SettingsError, "8 sentences"),
        (lambda s: s.describe(CAT, boxes=[(0, 0, 999, 9)]), DataError, "not inside the image"),
        (lambda s: s.describe(CAT, temperature=0), SettingsError, "temperature"),
        (lambda s: s.search("a cat", 0), SettingsError, "1 to 100"),
        (lambda s: s.search(""), DataError, "empty"),
    ],
)
def test_refused(service, ask, kind, told):
    with pytest.raises(kind, match=told):
        run(ask(service))


def test_without_a_workspace(aligner, photograph):
    service = Service(None, aligner)
    assert not service.has_workspace
    assert run(service.ground(photograph, "a dog")).grounding.phrases
    for ask in (lambda: run(service.search("a dog")), lambda: run(service.ground("key", "a dog")), service.phrases):
        with pytest.raises(NotFoundError, match="no workspace is open"):
            ask()
    service.close()


def test_without_a_captioner(aligner, photograph, monkeypatch, tmp_path):
    monkeypatch.setattr("phrasebox.captioner.Captioner.built_in", tmp_path / "none")
    service = Service(None, aligner)
    assert not service.models.has_captioner
    with pytest.raises(NotFoundError, match="phrasebox caption"):
        run(service.describe(photograph))
    service.close()


def test_results(ws, aligner):
    (ws.path / "results").mkdir()
    (ws.path / "results" / "val.json").write_text('[{"protocol": "p", "split": "val", "rows": [{"R@1": NaN}]}]')
    (ws.path / "results" / "broken.json").write_text("[")
    for name, text in (("mine", '[{"epoch": 0, "loss": Infinity}]'), ("other", "{}")):
        (ws.models / name).mkdir()
        (ws.models / name / "history.json").write_text(text)
    found = Service(ws, aligner).results()
    assert found.tables == [{"protocol": "p", "split": "val", "rows": [{"R@1": None}], "file": "val"}]
    assert found.trainings == {"mine": [{"epoch": 0, "loss": None}]}


def test_pages_are_bounded(shared_ws, aligner):
    service = Service(shared_ws, aligner, limits=Limits(page=2))
    assert len(service.phrases(limit=1000).phrases) == 2
    assert len(service.images(limit=1000)[1]) == 2


def test_a_batch_is_what_each_gives_alone(service, photograph):
    asked = [(CAT, SENTENCE), ("nothing", SENTENCE), (CAT, "..."), (photograph, "a dog"), (b"no picture", "a dog")]
    asked += [(photograph, "a red cat")]
    found = service.models.ground_many(asked)
    assert [type(one).__name__ for one in found] == [
        *("Grounded", "NotFoundError", "DataError", "Grounded", "UnsupportedFormatError", "Grounded")
    ]
    for one, (image, sentence) in zip(found, asked, strict=True):
        if not isinstance(one, Exception):
            service.models.forget_images()
            alone = run(service.ground(image, sentence)).to_json(matrix=True)
            assert np.allclose(one.grounding.scores, alone["scores"], atol=1e-4)
            assert [p["box"] for p in one.to_json()["phrases"]] == [p["box"] for p in alone["phrases"]]


def test_models_are_loaded_before_the_first_request(shared_ws, aligner_folder, captioner_folder):
    service = Service(shared_ws, aligner_folder, captioner_folder)
    client = TestClient(build(service, page=False), base_url="http://localhost")
    gate = threading.Event()
    service.worker.begin(gate.wait)
    service.warm()
    loading = client.get("/healthz")
    assert (loading.status_code, loading.json()["status"]) == (503, "loading")
    assert client.get("/api/workspace").json()["loading"]["seconds"] >= 0
    gate.set()
    assert run(service.ground(CAT, "a cat")).grounding.caption == "a cat"
    assert client.get("/healthz").json() == {"status": "ok"}
    assert {"aligner", "captioner"} <= set(vars(service.models))
    service.refresh()
    run(service.worker.run(lambda: None))
    assert "aligner" not in vars(service.models)  # a job may have trained another
    service.close()


def test_answers_are_compressed_but_pictures_are_not(service):
    client = TestClient(build(service, page=False), base_url="http://localhost")
    assert client.get("/api/openapi.json").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in client.get(f"/api/images/{CAT}").headers


def test_open_pages_are_told_what_others_do(service, ws):
    own = Service(ws, service.models._aligner)
    client = TestClient(build(own, page=False), base_url="http://localhost")
    told = []
    own.events.publish = lambda name, data, *rest: told.append((name, data))  # type: ignore[method-assign]
    own.events._pages.append(Page("ben"))  # type: ignore[arg-type]
    phrase = client.get("/api/phrases", params={"limit": 1}).json()["phrases"][0]
    client.post("/api/phrases/decide", json={"id": phrase["id"], "verdict": "accept", "who": "ann"})
    name, data = told[-1]
    assert (name, data["who"], data["count"], data["phrases"][0]["id"]) == ("decision", "ann", 1, phrase["id"])
    assert (data["undone"], data["progress"]["accepted"]) == (False, 1)
    client.post("/api/phrases/undo", json={"who": "ann"})
    assert told[-1][1]["undone"]
    own._look()
    ws.append_images([Example("new.png", ws.path / "new.png", (Caption("a cat"),))], [(9, 9)])
    own._look()
    assert told[-1] == ("workspace", {"counts": {"images": 6, "regions": 5, "phrases": ws.count("phrases")}})
    own.close()


class Page:
    """An open page that reads nothing."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.loop, self.there = asyncio.new_event_loop(), asyncio.Event()

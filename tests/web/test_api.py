"""The API: the command line's values over HTTP, and every refusal a line of JSON."""

from __future__ import annotations

import json
import threading
from io import BytesIO

import pytest
from PIL import Image
from starlette.testclient import TestClient

from phrasebox import cli
from phrasebox.web import Limits, Service
from phrasebox.web.app import build
from phrasebox.web.error_responses import public_message
from phrasebox.workspace.workspace import Workspace

CAT = "in a folder/chelsea.png"
SENTENCE = "A tabby cat with green eyes"


def command(capsys, *arguments):
    """What a command prints as JSON."""
    capsys.readouterr()
    cli.main([*map(str, arguments), "--json"])
    return json.loads(capsys.readouterr().out)


def test_ground_as_the_command_line(client, images, aligner_folder, capsys):
    printed = command(capsys, "point", images / CAT, SENTENCE, "--model", aligner_folder, "--beta", "0.2")
    upload = {"image": ("cat.txt", (images / CAT).read_bytes(), "text/plain")}  # what it is called says nothing
    found = client.post("/api/ground", data={"sentence": SENTENCE, "beta": "0.2"}, files=upload)
    assert found.status_code == 200
    assert found.json() == printed | {"image": "", "unknown_words": []}
    by_key = client.post("/api/ground", json={"image": CAT, "sentence": SENTENCE, "matrix": True}).json()
    assert by_key["image"] == CAT
    assert (len(by_key["scores"]), len(by_key["words"]), len(by_key["assignment"])) == (6, 6, 6)
    assert len(by_key["scores"][0]) == len(by_key["boxes"])


def test_describe_as_the_command_line(client, images, captioner_folder, capsys):
    printed = command(capsys, "describe", images / CAT, "--model", captioner_folder, "--boxes", "0,0,40,40")
    upload = {"image": (images / CAT).read_bytes()}
    found = client.post("/api/describe", data={"boxes": "[[0, 0, 40, 40]]"}, files=upload)
    assert found.json() == printed | {"image": ""}
    drawn = {"image": CAT, "regions": 2, "temperature": 2.0, "count": 3}
    one, same, other = (client.post("/api/describe", json=drawn | {"seed": s}).json() for s in (1, 1, 2))
    assert one == same != other
    assert len(one["captions"]) == 3


def test_search_and_like(client, images):
    hits = client.get("/api/search", params={"sentence": "a cat", "k": 2}).json()["hits"]
    assert len(hits) == 2
    assert [word["text"] for word in hits[0]["words"]] == ["a", "cat"]
    regions = client.get("/api/search", params={"sentence": "a cat", "k": 2, "region": True}).json()["hits"]
    assert all(len(hit["box"]) == 4 for hit in regions)
    like = client.post("/api/like", data={"k": 1}, files={"image": (images / CAT).read_bytes()}).json()
    assert len(like["images"]) == len(like["sentences"]) == 1
    assert client.post("/api/like", json={"image": CAT}).json()["images"][0]["key"] == CAT


def test_phrases_are_read_decided_taken_back_and_exported(client, ws, tmp_path, capsys):
    page = client.get("/api/phrases", params={"limit": 3, "image": CAT}).json()
    assert (len(page["phrases"]), page["total"] >= 3) == (3, True)
    first, second, third = page["phrases"]

    def decide(phrase, verdict, **changes):
        body = {"id": phrase["id"], "verdict": verdict, "who": "ann", **changes}
        return client.post("/api/phrases/decide", json=body)

    accepted = decide(first, "accept").json()
    assert accepted | {"when": "", "version": ""} == first | {"state": "accepted", "who": "ann", "version": ""}
    assert accepted["version"] != first["version"]
    moved = decide(second, "edit", box=[1, 2, 30, 40], span=second["span"]).json()
    assert (moved["box"], moved["state"], moved["found"]) == ([1, 2, 30, 40], "edited", second["found"])
    assert decide(third, "reject").json()["state"] == "rejected"
    counts = client.get("/api/phrases/progress").json()
    assert (counts["accepted"], counts["edited"], counts["rejected"], counts["people"]) == (1, 1, 1, {"ann": 3})
    assert client.get("/api/phrases", params={"state": "edited"}).json()["phrases"] == [moved]
    exported = command(capsys, "export", ws.path, tmp_path / "own.jsonl", "--format", "odvg", "--reviewed")
    assert exported["phrases"] == 2
    assert client.post("/api/phrases/undo", json={"who": "ann"}).json()["phrase"] == third
    assert client.post("/api/phrases/undo", json={"who": "ben"}).json()["phrase"] is None
    again = Service(Workspace(ws.path)).review.progress()  # as after a restart
    assert (again.accepted, again.edited, again.rejected) == (1, 1, 0)


def test_filters(client):
    everything = client.get("/api/phrases", params={"limit": 200}).json()["phrases"]
    short = client.get("/api/phrases", params={"limit": 200, "max_words": 2, "split": "train"}).json()
    assert short["phrases"] == [p for p in everything if len(p["text"].split()) <= 2 and p["split"] == "train"]
    assert 0 < short["total"] < len(everything)
    assert client.get("/api/phrases", params={"offset": 1, "limit": 1}).json()["phrases"] == everything[1:2]


def test_images(client):
    listed = client.get("/api/images", params={"split": "val"}).json()
    assert (listed["total"], listed["images"][0]["key"]) == (1, "in a folder/rocket.jpg")
    assert len(listed["images"][0]["captions"]) == 2
    whole = client.get(f"/api/images/{CAT}")
    assert whole.headers["content-type"] == "image/jpeg"
    assert Image.open(BytesIO(whole.content)).size == (120, 80)
    assert client.get("/api/images/in%20a%20folder%2Fchelsea.png").content == whole.content
    assert Image.open(BytesIO(client.get(f"/api/images/{CAT}?width=64").content)).width == 120


def test_health_and_results(client, ws):
    assert client.get("/api/health").json() == {"status": "ok", "waiting": 0}
    (ws.path / "results").mkdir()
    (ws.path / "results" / "val.json").write_text('[{"protocol": "p", "rows": [{"R@1": NaN}]}]')
    told = client.get("/api/results").json()
    assert told["tables"] == [{"protocol": "p", "rows": [{"R@1": None}], "file": "val"}]
    assert (told["trainings"], told["empty"]) == ({}, None)


def test_openapi_names_every_path_and_what_it_takes(client):
    described = client.get("/api/openapi.json").json()
    assert described["servers"] == [{"url": "/api"}]
    paths = {
        *("/health", "/ground", "/describe", "/search", "/like", "/phrases", "/phrases/decide", "/phrases/undo"),
        *(f"/phrases/{path}" for path in ("one", "pictures", "histogram", "progress", "decide-many", "redo")),
        *("/workspace", "/summary", "/map", "/regions", "/images", "/images/{key}", "/samples/{name}", "/results"),
        *("/exports", "/exports/count", "/exports/download", "/events", "/jpeg"),
        *("/jobs", "/jobs/{id}", "/jobs/{id}/log", "/jobs/{id}/stop", "/jobs/{id}/continue"),
        *(f"/label-studio/{path}" for path in ("setup", "health", "webhook", "predict")),
    }
    assert set(described["paths"]) == paths
    body = described["paths"]["/ground"]["post"]["requestBody"]["content"]
    assert body["multipart/form-data"]["schema"]["properties"]["image"]["format"] == "binary"
    assert body["application/json"]["schema"]["required"] == ["image", "sentence"]


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
REFUSALS = [
    ("get", "/api/nothing", {}, 404),
    ("get", "/api/", {}, 404),
    ("get", "/api/ground", {}, 405),
    ("delete", "/api/phrases", {}, 405),
    ("post", "/api/ground", {"content": b"{}"}, 415),
    ("post", "/api/ground", {"data": {"image": CAT, "sentence": "x"}}, 415),
    ("post", "/api/ground", {"json": {}}, 422),
    ("post", "/api/ground", {"json": []}, 422),
    ("post", "/api/ground", {"content": b'{"image"', "headers": {"content-type": "application/json"}}, 422),
    ("post", "/api/ground", {"content": b"\xff", "headers": {"content-type": "application/json"}}, 422),
    ("post", "/api/ground", {"json": {"image": CAT, "sentence": ""}}, 422),
    ("post", "/api/ground", {"json": {"image": CAT, "sentence": "..."}}, 422),
    ("post", "/api/ground", {"json": {"image": CAT, "sentence": "a cat", "beta": -1}}, 422),
    ("post", "/api/ground", {"json": {"image": CAT, "sentence": "a cat", "beta": "1"}}, 422),
    ("post", "/api/ground", {"json": {"image": CAT, "sentence": "a cat", "gamma": 1}}, 422),
    ("post", "/api/ground", {"json": {"image": "nothing", "sentence": "a cat"}}, 404),
    ("post", "/api/ground", {"data": {"sentence": "a cat"}, "files": {"image": SVG}}, 415),
    ("post", "/api/ground", {"data": {"sentence": "a cat"}, "files": {"image": ("a.jpg", SVG, "image/jpeg")}}, 415),
    ("post", "/api/ground", {"data": {"sentence": "a cat"}, "files": {"image": b"\x89PNG\r\n\x1a\nrubbish"}}, 415),
    ("post", "/api/ground", {"data": {"sentence": "a cat"}, "files": {"image": b""}}, 422),
    ("post", "/api/ground", {"data": {"sentence": "a cat"}, "files": {"file": b"x"}}, 422),
    ("post", "/api/ground", {"files": [("image", b"x"), ("image", b"y")], "data": {"sentence": "x"}}, 422),
    ("post", "/api/ground", {"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 422),
    ("post", "/api/describe", {"json": {"image": CAT, "boxes": [[0, 0, 1]]}}, 422),
    ("post", "/api/describe", {"json": {"image": CAT, "boxes": [[0, 0, 1e9, 1]]}}, 422),
    ("post", "/api/describe", {"json": {"image": CAT, "count": 99}}, 422),
    ("post", "/api/describe", {"data": {"boxes": "["}, "files": {"image": b"x"}}, 422),
    ("get", "/api/search", {}, 422),
    ("get", "/api/search?sentence=", {}, 422),
    ("get", "/api/search?sentence=cat&k=0", {}, 422),
    ("get", "/api/search?sentence=cat&k=101", {}, 422),
    ("get", "/api/phrases?limit=201", {}, 422),
    ("get", "/api/phrases?split=all", {}, 422),
    ("get", "/api/phrases?min_score=nan", {}, 422),
    ("post", "/api/phrases/decide", {"json": {"id": "x", "verdict": "accept", "who": "ann"}}, 404),
    ("post", "/api/phrases/decide", {"json": {"id": "x", "verdict": "maybe", "who": "ann"}}, 422),
    ("post", "/api/phrases/decide", {"json": {"id": "x", "verdict": "accept"}}, 422),
    ("post", "/api/phrases/decide", {"content": b"{", "headers": {"content-type": "application/json"}}, 422),
    ("post", "/api/phrases/undo", {"json": {"who": "\x00"}}, 422),
    ("post", "/api/phrases/decide-many", {"json": {"verdict": "accept", "who": "ann"}}, 422),
    ("post", "/api/phrases/decide-many", {"json": {"verdict": "edit", "who": "ann", "phrases": []}}, 422),
    ("post", "/api/phrases/undo", {"json": {"who": "ann", "decision": "../x"}}, 422),
    ("get", "/api/phrases?sort=random", {}, 422),
    ("get", "/api/phrases/one?id=x", {}, 404),
    ("get", "/api/search?sentence=cat&offset=999", {}, 422),
    ("get", "/api/map?limit=0", {}, 422),
    ("get", "/api/regions?image=nothing", {}, 404),
    ("get", "/api/images?key=nothing", {}, 404),
    ("get", "/api/samples/nothing", {}, 404),
    ("post", "/api/images", {"files": {"image": b"no picture"}}, 415),
    ("post", "/api/images", {"files": {"image": b"x"}, "data": {"captions": "{}"}}, 422),
    ("post", "/api/images", {"data": {"captions": "[]"}}, 422),
    ("get", "/api/exports/download", {}, 422),
    ("get", "/api/exports/download?format=nothing", {}, 422),
    ("get", "/api/exports/count?min_confidence=2", {}, 422),
    ("get", "/api/jobs/nothing", {}, 404),
    ("get", "/api/jobs/..%2f..", {}, 404),
    ("post", "/api/jobs", {"json": {"stage": "serve"}}, 404),
    ("post", "/api/jobs", {"json": {"stage": "align", "options": {"config": "/etc/passwd"}}}, 422),
    ("post", "/api/jobs", {"json": {"stage": "align", "options": {"epochs": "many"}}}, 422),
    ("post", "/api/jobs", {"json": {"stage": "align", "options": {"name": "../../out"}}}, 422),
    ("post", "/api/jobs", {"json": {"stage": "ground", "options": {"model": "nothing"}}}, 404),
    ("post", "/api/jobs/nothing/stop", {}, 404),
    ("get", "/api/images/nothing.png", {}, 404),
    ("get", f"/api/images/{CAT}?width=0", {}, 422),
]


@pytest.mark.parametrize(("method", "path", "given", "status"), REFUSALS)
def test_refused_in_one_line(client, folder, method, path, given, status):
    answer = client.request(method, path, **given)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    reason = answer.json()["error"]
    assert len(reason.splitlines()) == 1
    assert 5 < len(reason) < 300
    assert str(folder) not in reason


def test_limits_of_bytes_and_pixels(ws, aligner, encode):
    service = Service(ws, aligner, limits=Limits(bytes=30_000, pixels=5000))
    client = TestClient(build(service, page=False), base_url="http://localhost")

    def post(picture):
        return client.post("/api/ground", data={"sentence": "a cat"}, files={"image": picture})

    assert post(encode(Image.new("RGB", (70, 70)), "PNG")).status_code == 200
    many = post(encode(Image.new("RGB", (80, 70)), "PNG"))
    assert (many.status_code, "5,000 pixels" in many.json()["error"]) == (413, True)
    large = post(encode(Image.effect_noise((200, 200), 90), "BMP") * 3)
    assert (large.status_code, "30,000 bytes" in large.json()["error"]) == (413, True)
    service.close()


def test_busy_and_slow_are_told(shared_ws, aligner, photograph):
    service = Service(shared_ws, aligner, limits=Limits(queue=0, seconds=0.2))
    client = TestClient(build(service, page=False), base_url="http://localhost")
    gate = threading.Event()
    service.worker.begin(gate.wait)
    late = client.post("/api/ground", data={"sentence": "a cat"}, files={"image": photograph})
    assert (late.status_code, late.headers["retry-after"]) == (503, "2")
    service.worker.queue = -1
    busy = client.post("/api/ground", data={"sentence": "a cat"}, files={"image": photograph})
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "2")
    assert "try again" in busy.json()["error"]
    gate.set()
    service.close()


def test_what_breaks_is_told_without_its_reason(ws, aligner, monkeypatch, caplog):
    service = Service(ws, aligner)
    client = TestClient(build(service, page=False), base_url="http://localhost", raise_server_exceptions=False)

    def broken():
        raise RuntimeError(f"secret {ws.path}")

    monkeypatch.setattr(service.review, "progress", broken)
    answer = client.get("/api/phrases/progress")
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (500, "nosniff")
    assert answer.json() == {"error": "internal error; the cause is in the server's log"}
    assert f"secret {ws.path}" in caplog.text
    service.close()


def test_errors_of_the_library_lose_their_paths(tmp_path, aligner, photograph):
    service = Service(Workspace.create(tmp_path / "a b" / "mine"), aligner)
    client = TestClient(build(service, page=False), base_url="http://localhost")
    empty = client.get("/api/search?sentence=cat")
    assert empty.status_code == 409
    assert empty.json()["error"] == "WS has no regions yet; run: phrasebox regions WS"
    missing = Service(None, tmp_path / "no such model")
    other = TestClient(build(missing, page=False), base_url="http://localhost")
    lost = other.post("/api/ground", data={"sentence": "a cat"}, files={"image": photograph})
    assert (lost.status_code, str(tmp_path) in lost.text) == (409, False)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("/w/s has none; run: phrasebox regions /w/s", "WS has none; run: phrasebox regions WS"),
        ("/w/s/models/a is damaged", "WS/models/a is damaged"),
        ("cannot read '/home/ann/x.png': no", "cannot read 'x.png': no"),
        (r"C:\Users\ann\x.png is gone", "x.png is gone"),
        ("and/or 3/4, at https://example.org/a", "and/or 3/4, at https://example.org/a"),
        ("two\nlines", "two lines"),
    ],
)
def test_paths_in_messages(message, told):
    assert public_message(message, "/w/s") == told


def test_without_a_workspace_or_captioner(aligner, photograph, monkeypatch, tmp_path):
    monkeypatch.setattr("phrasebox.captioner.Captioner.built_in", tmp_path / "none")
    client = TestClient(build(Service(None, aligner), page=False), base_url="http://localhost")
    upload = {"image": photograph}
    assert client.post("/api/ground", data={"sentence": "a dog"}, files=upload).status_code == 200
    described = client.post("/api/describe", files=upload)
    assert (described.status_code, "phrasebox caption" in described.json()["error"]) == (404, True)
    for path in ("/api/phrases", "/api/images", "/api/images/x", "/api/results", "/api/search?sentence=a"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"]) == (
            404,
            "no workspace is open here; start with: phrasebox serve WS",
        )


def test_a_full_disk_is_told_in_one_line(client, monkeypatch, ws):
    phrase = client.get("/api/phrases", params={"limit": 1}).json()["phrases"][0]

    def full(*_):
        raise OSError(28, "No space left on device", str(ws.path / "decisions.jsonl"))

    monkeypatch.setattr("phrasebox.workspace.decisions._write_line", full)
    answer = client.post("/api/phrases/decide", json={"id": phrase["id"], "verdict": "accept", "who": "ann"})
    assert (answer.status_code, "No space left" in answer.json()["error"]) == (507, True)
    assert str(ws.path) not in answer.text
    monkeypatch.undo()
    assert client.get("/api/phrases/one", params={"id": phrase["id"]}).json() == phrase

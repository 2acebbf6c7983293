"""The requests that Label Studio sends to an ML back end, in the shapes of its connector and of its webhooks."""

from __future__ import annotations

import base64
import json

import pytest
from starlette.testclient import TestClient

from phrasebox import cli
from phrasebox.formats.label_studio import CONFIG
from phrasebox.web import Service
from phrasebox.web.access import Access
from phrasebox.web.app import build

CAT = "in a folder/chelsea.png"
BACKEND = "/api/label-studio"


@pytest.fixture
def tasks(ws, tmp_path):
    """The exported tasks, with the ids that Label Studio gives them."""
    cli.main(["export", str(ws.path), str(tmp_path / "tasks"), "--format", "label-studio", "--quiet"])
    found = json.loads((tmp_path / "tasks" / "tasks.json").read_text())
    return [{"id": i, "data": task["data"], "annotations": [], "predictions": []} for i, task in enumerate(found, 1)]


def asked(client, path, **body):
    common = {"project": "7.1700000000", "label_config": CONFIG, "params": {"login": None, "password": None}}
    return client.post(f"{BACKEND}/{path}", json=common | body)


def test_health_and_setup(client):
    assert client.get(f"{BACKEND}/health").json()["status"] == "UP"
    connect = {"schema": CONFIG, "hostname": "http://localhost:8081", "access_token": "x", "extra_params": None}
    assert asked(client, "setup", **connect).json() == {"model_version": "phrasebox"}
    refused = asked(client, "setup", **connect | {"schema": "<View><Image name='image' value='$image'/></View>"})
    assert refused.status_code == 422
    assert "has no box and no caption and no phrase" in refused.json()["error"]


def test_tasks_are_prelabelled(client, tasks):
    other = {"id": 99, "data": {"image": "https://example.org/x.jpg", "caption": "a dog"}}
    answer = asked(client, "predict", tasks=[*tasks[:2], other, {"id": 3, "data": {"text": "no picture"}}])
    assert answer.status_code == 200
    first, second, *nothing = answer.json()["results"]
    assert [one["result"] for one in nothing] == [[], []]
    assert 0 <= first["score"] <= 1
    caption = tasks[0]["data"]["caption"]
    names = {(part["from_name"], part["to_name"], part["type"]) for part in first["result"]}
    assert names == {("box", "image", "rectanglelabels"), ("phrase", "image", "textarea")}
    for part in first["result"] + second["result"]:
        value = part["value"]
        assert 0 <= value["x"] <= value["x"] + value["width"] <= 100.001
        assert 0 <= value["y"] <= value["y"] + value["height"] <= 100.001
    said = [part["value"]["text"][0] for part in first["result"] if part["type"] == "textarea"]
    assert said
    assert all(text in caption for text in said)


def test_a_correction_comes_back(client, ws, tasks, tmp_path):
    task = next(task for task in tasks if task["data"]["key"] == CAT)
    (predicted,) = asked(client, "predict", tasks=[task]).json()["results"]
    kept = [part for part in predicted["result"] if part["id"] == predicted["result"][0]["id"]]
    moved = [part | {"value": part["value"] | {"x": 10, "y": 20, "width": 30, "height": 40}} for part in kept]
    annotation = {"id": 5, "result": moved, "was_cancelled": False, "completed_by": 1, "task": task["id"]}
    event = {"project": {"id": 7}, "task": task, "annotation": annotation}
    assert asked(client, "webhook", action="ANNOTATION_CREATED", **event).json() == {"stored": 1, "skipped": []}
    image = next(image for image in ws.grounded() if image.key == CAT)
    caption = next(caption for caption in image.captions if caption.text == task["data"]["caption"])
    (phrase,) = caption.phrases
    assert phrase.reviewed
    expected = [0.1 * image.width, 0.2 * image.height, 0.4 * image.width, 0.6 * image.height]
    assert list(phrase.box) == pytest.approx(expected, abs=0.02)
    # Again, and differently: the last one counts.
    event["annotation"] = annotation | {"result": []}
    assert asked(client, "webhook", action="ANNOTATION_UPDATED", **event).json()["stored"] == 1
    image = next(image for image in ws.grounded() if image.key == CAT)
    assert [c.phrases for c in image.captions if c.text == caption.text] == [()]


@pytest.mark.parametrize("action", ["ANNOTATIONS_DELETED", "PROJECT_UPDATED", "TASKS_CREATED", "START_TRAINING"])
def test_other_events_change_nothing(client, ws, action):
    before = ws.version("reviewed")
    answer = asked(client, "webhook", action=action, annotations=[{"id": 5}])
    assert (answer.status_code, answer.json()["stored"]) == (201, 0)
    assert ws.version("reviewed") == before


def test_a_skipped_task_and_a_strange_one(client, tasks):
    cancelled = {"id": 5, "result": [], "was_cancelled": True}
    event = {"action": "ANNOTATION_CREATED", "task": tasks[0], "annotation": cancelled}
    assert asked(client, "webhook", **event).json() == {"stored": 0, "skipped": []}
    event["task"] = {"id": 9, "data": {"image": "https://example.org/x.jpg", "caption": "a dog"}}
    assert asked(client, "webhook", **event).status_code == 404
    event["task"] = {"id": 9, "data": tasks[0]["data"] | {"caption": "not of this image"}}
    event["annotation"] = {"id": 5, "result": []}
    answer = asked(client, "webhook", **event).json()
    assert (answer["stored"], len(answer["skipped"])) == (0, 1)


def test_the_token_is_a_password(ws, aligner, captioner):
    token = "a-token-of-some-length"
    service = Service(ws, aligner, captioner)
    app = build(service, Access.on("127.0.0.1", token), page=False)
    with TestClient(app, base_url="http://localhost") as client:
        for given, status in ((token, 200), ("wrong", 401), ("", 401)):
            basic = base64.b64encode(f"label-studio:{given}".encode()).decode()
            answer = client.get(f"{BACKEND}/health", headers={"authorization": f"Basic {basic}"})
            assert answer.status_code == status
        assert client.get(f"{BACKEND}/health", headers={"authorization": "Basic ?"}).status_code == 401
    service.close()

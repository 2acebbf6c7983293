"""The API under whatever its own OpenAPI allows, and what it does not: it refuses, and never breaks."""

from __future__ import annotations

import shutil

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given

from phrasebox.web import Limits, Service
from phrasebox.web.app import build
from phrasebox.workspace.workspace import Workspace

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance  # noqa: E402
from schemathesis.transport.serialization import Binary  # noqa: E402

KEYS = ("in a folder/chelsea.png", "in a folder/rocket.jpg")
OPERATIONS = (
    *("GET /health", "POST /ground", "POST /describe", "GET /search", "POST /like", "GET /phrases", "GET /images"),
    *("POST /phrases/decide", "POST /phrases/undo", "GET /phrases/progress", "GET /images/{key}", "GET /results"),
    *("GET /label-studio/health", "POST /label-studio/setup"),
    *("POST /label-studio/predict", "POST /label-studio/webhook", "POST /jpeg"),
    *("GET /phrases/one", "GET /phrases/pictures", "GET /phrases/histogram", "POST /phrases/decide-many"),
    *("POST /phrases/redo", "GET /workspace", "GET /summary", "GET /map", "GET /regions", "GET /samples/{name}"),
    *("POST /images", "GET /exports", "GET /exports/count", "GET /exports/download", "GET /jobs", "POST /jobs"),
    *("GET /jobs/{id}", "GET /jobs/{id}/log", "POST /jobs/{id}/stop", "POST /jobs/{id}/continue"),
)
ENDLESS = ("GET /events",)  # an answer does not end

UNASKED = (
    "GET /health",
    "GET /label-studio/health",
    "GET /phrases/progress",
    "GET /results",
    *("GET /workspace", "GET /summary", "GET /exports", "GET /jobs"),
    *(
        "GET /samples/{name}",
        "GET /jobs/{id}",
        "POST /jobs/{id}/stop",
        "POST /jobs/{id}/continue",
    ),  # any text is a name
)  # they take nothing, or any name, so that nothing is wrong


@pytest.fixture(scope="module")
def api(_made, aligner, captioner, tmp_path_factory):
    ws = Workspace(shutil.copytree(_made / "ws", tmp_path_factory.mktemp("fuzz") / "ws"))
    service = Service(ws, aligner, captioner, limits=Limits(regions=4, count=2))  # so that what is allowed is quick
    app = build(service, page=False)
    yield schemathesis.openapi.from_asgi("/api/openapi.json", app, headers={"host": "localhost"})
    service.close()


@pytest.fixture(scope="module")
def known(api):
    """Some ids of phrases."""
    answer = api["/phrases"]["GET"].Case().call(headers={"host": "localhost"})
    return [phrase["id"] for phrase in answer.json()["phrases"]]


def test_all_are_listed(api):
    assert {operation.ok().label for operation in api.get_all_operations()} == {*OPERATIONS, *ENDLESS}


CASES = [
    pytest.param(operation, mode, id=f"{operation} {mode.value}")
    for operation in OPERATIONS
    for mode in GenerationMode
    if mode == GenerationMode.POSITIVE or operation not in UNASKED
]


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_no_request_breaks_it(api, known, photograph, operation, mode):
    method, path = operation.split()

    @given(api[path][method].as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=15,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def ask(case):
        for name, there in (("image", KEYS), ("id", known)):  # half of the requests are about what is there
            sent = case.body.get(name) if isinstance(case.body, dict) else None
            if isinstance(sent, str) and len(sent) % 2:
                case.body[name] = Binary(photograph) if isinstance(sent, Binary) else there[len(sent) // 2 % len(there)]
        excluded = [positive_data_acceptance]  # what the schema allows may still be no picture, or have no words
        if case.media_type == "multipart/form-data":
            excluded.append(negative_data_rejection)  # a form cannot say that a field is an empty list
        case.call_and_validate(headers={"host": "localhost"}, excluded_checks=excluded)

    ask()

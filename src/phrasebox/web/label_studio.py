"""Label Studio's ML back end: pre-labels tasks about images of the workspace, and takes corrections back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from phrasebox.errors import DataError, NotFoundError, SettingsError
from phrasebox.formats.label_studio import CONFIG, MODEL_VERSION, prediction, read_tasks, task_key
from phrasebox.stages.review import Reviews
from phrasebox.types import Example, Phrase, Skipped
from phrasebox.web.api import ERRORS
from phrasebox.web.service import Service

_NAMES = re.compile(r"""\b(?:name|toName)\s*=\s*["']([^"']*)["']""")
_CORRECTIONS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")
_TASKS = 200  # at most, of one request


class SetupRequest(BaseModel):
    """What Label Studio sends when the back end is connected to a project."""

    schema_: Annotated[str, Field(alias="schema", description="The project's labelling interface.")] = ""


class PredictRequest(BaseModel):
    """Tasks to pre-label."""

    tasks: Annotated[list[dict[str, Any]], Field(max_length=_TASKS, description="Label Studio tasks.")]


class WebhookRequest(BaseModel):
    """An event of a project."""

    action: str
    task: dict[str, Any] | None = None
    annotation: dict[str, Any] | None = None


class Health(BaseModel):
    """Whether the back end runs."""

    status: str
    model_class: str = "phrasebox"


class ModelVersion(BaseModel):
    """The name of the model in Label Studio."""

    model_version: str


class Predictions(ModelVersion):
    """One prediction a task; empty for a task about no image of the workspace."""

    results: list[dict[str, Any]]


class Stored(BaseModel):
    """Number of captions whose phrases were replaced by a correction, and why parts of it were left out."""

    stored: int
    skipped: list[str] = []


def router(service: Service) -> APIRouter:
    """Routes under ``/label-studio``, the address to give to Label Studio."""
    api = APIRouter(prefix="/label-studio", responses=ERRORS, tags=["Label Studio"])

    @api.get("/health", response_model=Health)
    async def health() -> Any:
        """Check that the back end runs."""
        return {"status": "UP"}

    @api.post("/setup", response_model=ModelVersion)
    async def setup(body: SetupRequest) -> Any:
        """Connect a project; its labelling interface must have the names of the exported one."""
        missing = set(_NAMES.findall(CONFIG)) - set(_NAMES.findall(body.schema_))
        if body.schema_ and missing:
            raise SettingsError(
                f"the labelling interface has no {' and no '.join(sorted(missing))}; use config.xml of an export with "
                "--format label-studio"
            )
        return {"model_version": MODEL_VERSION}

    @api.post("/predict", response_model=Predictions)
    async def predict(body: PredictRequest) -> Any:
        """Phrases with boxes for every task, as its labelling interface shows them."""
        return {"results": [await _predict(service, task) for task in body.tasks], "model_version": MODEL_VERSION}

    @api.post("/webhook", response_model=Stored, status_code=201)
    def webhook(body: WebhookRequest) -> Any:
        """Take an annotation that was created or updated as a correction; other events change nothing."""
        if body.action not in _CORRECTIONS or body.task is None or body.annotation is None:
            return {"stored": 0}
        return _store(service, {**body.task, "annotations": [body.annotation]})

    return api


async def _predict(service: Service, task: dict[str, Any]) -> dict[str, Any]:
    key = task_key(task)
    try:
        if key is None:
            raise DataError("the task has no image, or no caption")
        found = (await service.ground(key, task["data"]["caption"])).grounding
    except (DataError, NotFoundError):  # others of the tasks may be about images that are here
        return prediction((), 1, 1)
    pairs: list[Phrase] = [pair for phrase in found.phrases for pair in phrase.pairs()]
    return prediction(pairs, found.regions.width, found.regions.height)


def _store(service: Service, task: dict[str, Any]) -> dict[str, Any]:
    """Store a correction as reviewed captions."""
    ws, reasons = service.workspace, []
    key = task_key(task)
    if key is None:
        return {"stored": 0, "skipped": ["the task has no image, or no caption"]}
    service.pictures.row(key)  # raises for an image that is not in the workspace

    def examples() -> Iterator[Example]:
        for item in read_tasks([task]):
            if isinstance(item, Skipped):
                reasons.append(f"{item.key}: {item.reason}")
            else:
                yield item

    with ws.lock():
        reviews = Reviews(ws, lambda skipped: reasons.extend(f"{item.key}: {item.reason}" for item in skipped))
        for example in examples():
            reviews.add(example)
        reviews.store()
    return {"stored": reviews.count, "skipped": reasons}

"""Schemas of the HTTP API: request bodies as JSON or as a form, and responses.

An image in a request is the key of a workspace image or an uploaded file. Values of responses are those of the command
line's ``--json``.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from phrasebox.errors import DataError
from phrasebox.web.limits import KindError, Limits
from phrasebox.web.service import MOST_BETA, ImageArgument

Box = Annotated[list[float], Field(min_length=4, max_length=4, description="x1, y1, x2, y2 in pixels")]
Who = Annotated[str, Field(min_length=1, max_length=80, description="Who decides.")]
_FIELDS = 16  # of a form


class Asked(BaseModel):
    """Request body; unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class AboutImage(Asked):
    """Request body with an image: the key of a workspace image, or a file in a form."""

    image: Annotated[str, Field(description="Key of an image of the workspace; in a form, a file of your own.")]


class AskedGround(AboutImage):
    """Request to ground a sentence in an image."""

    sentence: Annotated[str, Field(min_length=1, description="What the image shows.")]
    beta: Annotated[
        float | None, Field(ge=0, le=MOST_BETA, description="Chain strength; larger makes longer phrases.")
    ] = None
    matrix: Annotated[bool, Field(description="Words, boxes and their scores too.")] = False


class AskedDescribe(AboutImage):
    """Request to describe an image."""

    regions: Annotated[int, Field(ge=0, description="Phrases at most.")] = 8
    boxes: Annotated[list[Box] | None, Field(description="Your own boxes instead; in a form, as JSON.")] = None
    temperature: Annotated[float | None, Field(gt=0, le=100, description="Draw words at random.")] = None
    count: Annotated[int, Field(ge=1, description="Sentences for each.")] = 1
    seed: Annotated[int, Field(ge=0, lt=1 << 31)] = 0

    @field_validator("boxes", mode="before")
    @classmethod
    def _from_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                return json.loads(value)
            except (ValueError, RecursionError):
                raise ValueError("boxes are a JSON list of lists of four numbers") from None
        return value


class AskedLike(AboutImage):
    """Request for images and sentences similar to an image."""

    k: Annotated[int, Field(ge=1, description="Hits at most.")] = 12


class AskedDecision(Asked):
    """A person's decision on a phrase."""

    id: Annotated[str, Field(description="Of the phrase, as the list of phrases gives it.")]
    verdict: Literal["accept", "reject", "edit"]
    who: Who
    text: Annotated[str | None, Field(min_length=1, description="Of an edit: other words of the caption.")] = None
    span: Annotated[
        list[Annotated[int, Field(ge=0, lt=1 << 31)]] | None,
        Field(min_length=2, max_length=2, description="Of an edit: those words by their characters, end exclusive."),
    ] = None
    box: Annotated[Box | None, Field(description="Of an edit: another box.")] = None


class AskedUndo(Asked):
    """Request to undo a person's last decision."""

    who: Who


Body = TypeVar("Body", bound=AboutImage)


def about_image(model: type[Body]) -> Callable[[Request], Awaitable[tuple[Body, ImageArgument]]]:
    """FastAPI dependency that reads a request body with an image: its values, and the image."""

    async def read(request: Request) -> tuple[Body, ImageArgument]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            body = _valid(model.model_validate_json, await request.body())
            return body, body.image
        if kind != "multipart/form-data":
            raise KindError("send application/json with the key of an image, or multipart/form-data with a file")
        try:
            async with request.form(max_files=1, max_fields=_FIELDS) as form:
                values = dict(form.multi_items())
                if len(values) < len(form.multi_items()):
                    raise DataError("a field of the form is given twice")
                image = values.get("image")
                data = await image.read() if isinstance(image, UploadFile) else None
        except MultiPartException as error:
            raise DataError(f"the form cannot be read: {error.message}") from None
        except Exception as error:  # inside an application Starlette converts MultiPartException to this
            if getattr(error, "status_code", None) == 400:
                raise DataError(f"the form cannot be read: {getattr(error, 'detail', '')}") from None
            raise
        if data == b"":
            raise DataError("the file of the image is empty")
        body = _valid(partial(model.model_validate, strict=False), values | ({} if data is None else {"image": ""}))
        return body, body.image if data is None else data

    return read


def openapi_body(model: type[AboutImage], limits: Limits) -> dict[str, Any]:
    """OpenAPI description of the body that `about_image` reads, with a service's limits."""
    schema = model.model_json_schema()
    most = {
        "sentence": {"maxLength": limits.sentence},
        "regions": {"maximum": limits.regions},
        "count": {"maximum": limits.count},
        "k": {"maximum": limits.hits},
    }
    for name, bound in most.items():
        if name in schema["properties"]:
            schema["properties"][name] |= bound
    if "boxes" in schema["properties"]:
        schema["properties"]["boxes"]["anyOf"][0]["maxItems"] = limits.regions
    form = json.loads(json.dumps(schema))
    form["title"] += "Form"
    form["properties"]["image"] |= {"type": "string", "format": "binary"}
    if "boxes" in form["properties"]:
        form["properties"]["boxes"] = {"type": "string", "contentMediaType": "application/json"}
    content = {"application/json": {"schema": schema}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


def _valid(check: Callable[[Any], Body], given: Any) -> Body:
    try:
        return check(given)
    except ValidationError as error:
        raise DataError(reason(error.errors(include_url=False, include_context=False))) from None


def reason(errors: Any) -> str:
    """The first of pydantic's errors in one line, without the value that was sent."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return f"{place}: {first['msg']}" if place else str(first["msg"])


Ground = Annotated[tuple[AskedGround, ImageArgument], Depends(about_image(AskedGround))]
Describe = Annotated[tuple[AskedDescribe, ImageArgument], Depends(about_image(AskedDescribe))]
Like = Annotated[tuple[AskedLike, ImageArgument], Depends(about_image(AskedLike))]


# Responses


class Problem(BaseModel):
    """Error message in one line."""

    error: str


class Health(BaseModel):
    """The service is running."""

    status: Literal["ok"]
    waiting: int


class ToldPhrase(BaseModel):
    """A phrase and its box, ``xyxy`` pixels; its score is a cosine for the built-in model."""

    text: str
    span: tuple[int, int]
    box: tuple[float, float, float, float]
    score: float
    confidence: float
    whole_image: bool


class ToldWord(BaseModel):
    """A word of a sentence with its characters ``[start, end)``."""

    text: str
    start: int
    end: int


class ToldGrounding(BaseModel):
    """Phrases of a sentence with their boxes; the fields from ``words`` on if ``matrix`` was set."""

    image: str
    caption: str
    score: float
    beta: float
    width: int
    height: int
    phrases: list[ToldPhrase]
    words: list[ToldWord] | None = None
    boxes: list[tuple[float, float, float, float]] | None = None
    scores: list[list[float]] | None = None
    assignment: list[int] | None = None


class ToldRegion(BaseModel):
    """A described region."""

    text: str
    box: tuple[float, float, float, float]
    score: float
    captions: list[str]


class ToldDescription(BaseModel):
    """A described image."""

    image: str
    width: int
    height: int
    caption: str
    score: float
    captions: list[str]
    regions: list[ToldRegion]


class Hits(BaseModel):
    """Found images or boxes, best first, each with the best box of every word."""

    hits: list[dict[str, Any]]


class Alike(BaseModel):
    """Images and sentences similar to an image, best first."""

    images: list[dict[str, Any]]
    sentences: list[dict[str, Any]]


class Found(BaseModel):
    """Span and box of a phrase as it was decoded."""

    span: tuple[int, int]
    box: tuple[float, float, float, float]


class Reviewed(ToldPhrase):
    """A phrase of the workspace in its current state, with its decision."""

    id: str
    image: str
    split: str
    caption: int
    index: int
    sentence: str
    width: int
    height: int
    found: Found
    state: Literal["open", "accepted", "rejected", "edited"]
    who: str
    when: str


class ReviewedPage(BaseModel):
    """One page of the matching phrases, and how many match."""

    total: int
    offset: int
    phrases: list[Reviewed]


class Undone(BaseModel):
    """The phrase after the last decision was undone; null if there was nothing to undo."""

    phrase: Reviewed | None


class ToldProgress(BaseModel):
    """Phrases by state, and decisions in force by person."""

    total: int
    open: int
    accepted: int
    rejected: int
    edited: int
    people: dict[str, int]


class ToldImage(BaseModel):
    """An image of the workspace; width and height are 0 where unknown."""

    key: str
    split: str
    width: int
    height: int
    captions: list[str]


class ToldImages(BaseModel):
    """One page of the images, and how many there are."""

    total: int
    offset: int
    images: list[ToldImage]


class ToldResults(BaseModel):
    """Tables of measurements, and the epochs of each model's training."""

    tables: list[dict[str, Any]]
    trainings: dict[str, list[dict[str, Any]]]

"""Request bodies of the HTTP API, as JSON or as a form.

An image in a request is the key of a workspace image or an uploaded file.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from phrasebox.errors import DataError
from phrasebox.review import PhraseFilter
from phrasebox.types import SPLITS
from phrasebox.web.grounded import MAX_BETA
from phrasebox.web.limits import Limits, UnsupportedFormatError
from phrasebox.web.pictures import ImageArgument

Box = Annotated[list[float], Field(min_length=4, max_length=4, description="x1, y1, x2, y2 in pixels")]
Split = Literal["train", "val", "test"]
State = Literal["open", "accepted", "rejected", "edited"]
assert Split.__args__ == SPLITS  # type: ignore[attr-defined]
DecisionId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{8,64}$",
        description="Made by the client; a request that is sent again with it is stored once.",
    ),
]
Version = Annotated[str, Field(max_length=64, description="`version` of the phrase as it was shown.")]
Who = Annotated[str, Field(min_length=1, max_length=80, description="Name of the reviewer.")]
_MAX_FIELDS = 16  # form fields of one request


class RequestBody(BaseModel):
    """Request body; unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class ImageRequest(RequestBody):
    """Request body with an image: the key of a workspace image, or a file in a form."""

    image: Annotated[str, Field(description="Key of an image of the workspace; in a form, a file.")]


class GroundRequest(ImageRequest):
    """Request to ground a sentence in an image."""

    sentence: Annotated[str, Field(min_length=1, description="Sentence to ground in the image.")]
    beta: Annotated[
        float | None, Field(ge=0, le=MAX_BETA, description="Chain strength; larger makes longer segments.")
    ] = None
    matrix: Annotated[bool, Field(description="Also return the words, the regions and all scores.")] = False


class DescribeRequest(ImageRequest):
    """Request to describe an image."""

    regions: Annotated[int, Field(ge=0, description="Largest number of described regions.")] = 8
    boxes: Annotated[
        list[Box] | None, Field(description="Boxes to describe instead of the model's; in a form, as JSON.")
    ] = None
    temperature: Annotated[float | None, Field(gt=0, le=100, description="Sample words at this temperature.")] = None
    count: Annotated[int, Field(ge=1, description="Number of captions for the image and for each region.")] = 1
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


class SimilarRequest(ImageRequest):
    """Request for images and sentences similar to an image."""

    k: Annotated[int, Field(ge=1, description="Largest number of results.")] = 12
    offset: Annotated[int, Field(ge=0, lt=1 << 31, description="Rank of the first result.")] = 0


class DecisionRequest(RequestBody):
    """A person's decision on a phrase."""

    id: Annotated[str, Field(description="Id of the phrase, from `GET /phrases`.")]
    verdict: Literal["accept", "reject", "edit"]
    who: Who
    text: Annotated[
        str | None, Field(min_length=1, description="For an edit: the new text, a part of the caption.")
    ] = None
    span: Annotated[
        list[Annotated[int, Field(ge=0, lt=1 << 31)]] | None,
        Field(min_length=2, max_length=2, description="For an edit: the new text as characters, end exclusive."),
    ] = None
    box: Annotated[Box | None, Field(description="For an edit: the new box.")] = None
    version: Version | None = None
    decision: DecisionId | None = None


class FilterBody(RequestBody):
    """Filter of phrases, with the names of the query parameters of `GET /phrases`."""

    split: Split | None = None
    text: Annotated[str | None, Field(max_length=200)] = None
    word: Annotated[str | None, Field(max_length=200)] = None
    min_score: float | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    min_words: Annotated[int, Field(ge=0, lt=1 << 31)] = 0
    max_words: Annotated[int, Field(ge=0, lt=1 << 31)] = (1 << 31) - 1
    state: State | None = None
    image: str | None = None
    unknown: bool | None = None

    def to_filter(self) -> PhraseFilter:
        """As the review takes it."""
        values = self.model_dump(exclude={"min_words", "max_words", "image"})
        return PhraseFilter(**values, key=self.image, length=(self.min_words, self.max_words))


class PhraseVersion(RequestBody):
    """A phrase as it was shown."""

    id: str
    version: Version | None = None


class ManyDecisionsRequest(RequestBody):
    """A person's decision on many phrases: those listed, or all open ones that match a filter."""

    verdict: Literal["accept", "reject"]
    who: Who
    phrases: Annotated[list[PhraseVersion] | None, Field(max_length=1000)] = None
    filter: FilterBody | None = None
    count: Annotated[
        int | None, Field(ge=0, lt=1 << 31, description="How many phrases the person was told that match the filter.")
    ] = None
    decision: DecisionId | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> ManyDecisionsRequest:
        if (self.phrases is None) == (self.filter is None):
            raise ValueError("give either phrases or a filter")
        return self


class UndoRequest(RequestBody):
    """Request to undo a person's last action, or to do it again."""

    who: Who
    decision: Annotated[DecisionId | None, Field(description="Of this action instead of the last one.")] = None


class JobRequest(RequestBody):
    """Request to start a job."""

    stage: Annotated[str, Field(max_length=40)]
    options: dict[str, int | float | bool | str] = {}


Body = TypeVar("Body", bound=ImageRequest)


def image_request(model: type[Body]) -> Callable[[Request], Awaitable[tuple[Body, ImageArgument]]]:
    """FastAPI dependency that reads a request body with an image: its values, and the image."""

    async def read(request: Request) -> tuple[Body, ImageArgument]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            body = _validate(model.model_validate_json, await request.body())
            return body, body.image
        if kind != "multipart/form-data":
            raise UnsupportedFormatError(
                "send application/json with the key of an image, or multipart/form-data with a file"
            )
        try:
            async with request.form(max_files=1, max_fields=_MAX_FIELDS) as form:
                values = dict(form.multi_items())
                if len(values) < len(form.multi_items()):
                    raise DataError("the form has two fields of the same name")
                image = values.get("image")
                data = await image.read() if isinstance(image, UploadFile) else None
        except MultiPartException as error:
            raise DataError(f"the form cannot be read: {error.message}") from None
        except Exception as error:  # inside an application Starlette converts MultiPartException to HTTPException
            if getattr(error, "status_code", None) == 400:
                raise DataError(f"the form cannot be read: {getattr(error, 'detail', '')}") from None
            raise
        if data == b"":
            raise DataError("the image file is empty")
        body = _validate(partial(model.model_validate, strict=False), values | ({} if data is None else {"image": ""}))
        return body, body.image if data is None else data

    return read


def openapi_body(model: type[ImageRequest], limits: Limits) -> dict[str, Any]:
    """OpenAPI description of the body that `image_request` reads, with a service's limits."""
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


def _validate(check: Callable[[Any], Body], given: Any) -> Body:
    try:
        return check(given)
    except ValidationError as error:
        raise DataError(first_error(error.errors(include_url=False, include_context=False))) from None


def first_error(errors: Any) -> str:
    """The first of pydantic's errors in one line, without the value that was sent."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return f"{place}: {first['msg']}" if place else str(first["msg"])


GroundBody = Annotated[tuple[GroundRequest, ImageArgument], Depends(image_request(GroundRequest))]
DescribeBody = Annotated[tuple[DescribeRequest, ImageArgument], Depends(image_request(DescribeRequest))]
SimilarBody = Annotated[tuple[SimilarRequest, ImageArgument], Depends(image_request(SimilarRequest))]

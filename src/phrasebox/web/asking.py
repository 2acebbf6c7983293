"""What the API is asked: bodies as JSON or as a form, an image in them by its name or as a file."""

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
    """A body; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class AboutImage(Asked):
    """A body about an image: the key of one of the workspace, or in a form a file."""

    image: Annotated[str, Field(description="Key of an image of the workspace; in a form, a file of your own.")]


class AskedGround(AboutImage):
    """A sentence on an image."""

    sentence: Annotated[str, Field(min_length=1, description="What the image shows.")]
    beta: Annotated[
        float | None, Field(ge=0, le=MOST_BETA, description="Chain strength; larger makes longer phrases.")
    ] = None
    matrix: Annotated[bool, Field(description="Words, boxes and their scores too.")] = False


class AskedDescribe(AboutImage):
    """An image in words."""

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
    """What is like an image."""

    k: Annotated[int, Field(ge=1, description="Hits at most.")] = 12


class AskedDecision(Asked):
    """What a person makes of a phrase."""

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
    """Whose last decision is taken back."""

    who: Who


Body = TypeVar("Body", bound=AboutImage)


def about_image(model: type[Body]) -> Callable[[Request], Awaitable[tuple[Body, ImageArgument]]]:
    """A dependency that reads a body about an image: its values, and the image."""

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
        except Exception as error:  # Starlette turns the former into this one inside an application
            if getattr(error, "status_code", None) == 400:
                raise DataError(f"the form cannot be read: {getattr(error, 'detail', '')}") from None
            raise
        if data == b"":
            raise DataError("the file of the image is empty")
        body = _valid(partial(model.model_validate, strict=False), values | ({} if data is None else {"image": ""}))
        return body, body.image if data is None else data

    return read


def openapi_body(model: type[AboutImage], limits: Limits) -> dict[str, Any]:
    """What OpenAPI says about the body that `about_image` reads, where a service has these limits."""
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
    """The first of pydantic's reasons in one line, without what was sent."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return f"{place}: {first['msg']}" if place else str(first["msg"])


Ground = Annotated[tuple[AskedGround, ImageArgument], Depends(about_image(AskedGround))]
Describe = Annotated[tuple[AskedDescribe, ImageArgument], Depends(about_image(AskedDescribe))]
Like = Annotated[tuple[AskedLike, ImageArgument], Depends(about_image(AskedLike))]

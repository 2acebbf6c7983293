"""The HTTP API: one path for each method of the service, with OpenAPI."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from phrasebox.review import PhraseFilter
from phrasebox.types import SPLITS
from phrasebox.web import schemas
from phrasebox.web.pictures import MEDIA_TYPE
from phrasebox.web.schemas import AskedDecision, AskedUndo, Describe, Ground, Like, openapi_body
from phrasebox.web.service import Service

Split = Literal["train", "val", "test"]
State = Literal["open", "accepted", "rejected", "edited"]
assert Split.__args__ == SPLITS  # type: ignore[attr-defined]

_REASONS = {
    400: "The request cannot be understood, or the host name is not served here.",
    401: "A token is needed.",
    403: "The request comes from another site's page.",
    404: "There is no such image, phrase, workspace or captioner.",
    409: "The workspace or a model is not ready for this.",
    413: "Too many bytes or pixels.",
    415: "Not JSON, not a form, or not a picture.",
    422: "What was sent is out of range or damaged.",
    429: "Too many others wait.",
    503: "The models were busy for too long.",
    504: "The models took too long.",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Problem, "description": reason} for status, reason in _REASONS.items()
}
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {}}, "description": "The picture, upright."}}
_OFFSET = Query(0, ge=0, lt=1 << 31, description="How many to pass over.")


def router(service: Service) -> APIRouter:
    """All paths of the API, over a service; to be served below `phrasebox.web.security.API`."""
    api, limits = APIRouter(responses=PROBLEMS), service.limits
    limit = Query(50, ge=1, le=limits.page, description="How many at most.")

    @api.get("/health", response_model=schemas.Health, tags=["service"])
    async def health() -> Any:
        """Whether the service is there, and how many requests wait for the models."""
        return {"status": "ok", "waiting": service.worker.waiting}

    @api.post(
        "/ground",
        response_model=schemas.ToldGrounding,
        response_model_exclude_none=True,
        openapi_extra=openapi_body(schemas.AskedGround, limits),
        tags=["models"],
    )
    async def ground(asked: Ground) -> Any:
        """Which words of a sentence describe which part of an image."""
        body, image = asked
        return (await service.ground(image, body.sentence, body.beta)).to_json(body.matrix)

    @api.post(
        "/describe",
        response_model=schemas.ToldDescription,
        openapi_extra=openapi_body(schemas.AskedDescribe, limits),
        tags=["models"],
    )
    async def describe(asked: Describe) -> Any:
        """A caption of an image, and phrases of its most telling regions or of your boxes."""
        body, image = asked
        found = await service.describe(image, body.regions, body.boxes, body.temperature, body.count, body.seed)
        return found.to_json()

    @api.get("/search", response_model=schemas.Hits, tags=["models"])
    async def search(
        sentence: str = Query(min_length=1, description="What to look for."),
        k: int = Query(12, ge=1, le=limits.hits, description="Hits at most."),
        region: bool = Query(False, description="Single boxes instead of images."),
    ) -> Any:
        """The workspace's images that a sentence fits best, with why."""
        return {"hits": [hit.to_json() for hit in await service.search(sentence, k, region)]}

    @api.post(
        "/like", response_model=schemas.Alike, openapi_extra=openapi_body(schemas.AskedLike, limits), tags=["models"]
    )
    async def like(asked: Like) -> Any:
        """The workspace's images and sentences that are most like an image."""
        body, image = asked
        return (await service.like(image, body.k)).to_json()

    @api.get("/phrases", response_model=schemas.ReviewedPage, tags=["review"])
    def phrases(
        split: Split | None = None,
        text: str | None = Query(None, max_length=200, description="Part of the phrase."),
        min_score: float | None = Query(None, allow_inf_nan=False),
        min_words: int = Query(1, ge=0, lt=1 << 31),
        max_words: int = Query((1 << 31) - 1, ge=0, lt=1 << 31),
        state: State | None = None,
        image: str | None = Query(None, description="Key of an image."),
        offset: int = _OFFSET,
        limit: int = limit,
    ) -> Any:
        """The workspace's phrases, by what they are and what was decided about them."""
        wanted = PhraseFilter(split, text, min_score, (min_words, max_words), state, image)
        return service.phrases(wanted, offset, limit).to_json()

    @api.post("/phrases/decide", response_model=schemas.Reviewed, tags=["review"])
    def decide(body: AskedDecision) -> Any:
        """Accept, reject or edit a phrase; it is kept when this is answered."""
        span = (body.span[0], body.span[1]) if body.span else None
        return service.decide(body.id, body.verdict, body.who, body.text, span, body.box).to_json()

    @api.post("/phrases/undo", response_model=schemas.Undone, tags=["review"])
    def undo(body: AskedUndo) -> Any:
        """Take back a person's last decision."""
        found = service.undo(body.who)
        return {"phrase": found and found.to_json()}

    @api.get("/phrases/progress", response_model=schemas.ToldProgress, tags=["review"])
    def progress() -> Any:
        """How far the review has come."""
        return service.progress()

    @api.get("/images", response_model=schemas.ToldImages, tags=["workspace"])
    def images(split: Split | None = None, offset: int = _OFFSET, limit: int = limit) -> Any:
        """The workspace's images with their captions."""
        total, found = service.images(split, offset, limit)
        told = [{n: getattr(row, n) for n in schemas.ToldImage.model_fields} for row in found]
        return {"total": total, "offset": offset, "images": told}

    @api.get("/images/{key:path}", response_class=Response, responses=_PICTURE, tags=["workspace"])
    def image(
        key: str, width: int | None = Query(None, ge=1, le=1 << 16, description="Make it small, about so wide.")
    ) -> Response:
        """A picture of the workspace, upright, as JPEG."""
        data = service.image(key) if width is None else service.thumbnail(key, width)
        return Response(data, media_type=MEDIA_TYPE, headers={"cache-control": "private, max-age=600"})

    @api.get("/results", response_model=schemas.ToldResults, tags=["workspace"])
    def results() -> Any:
        """What was measured in the workspace, and how its models were trained."""
        return asdict(service.results())

    return api

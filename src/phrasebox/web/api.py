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
from phrasebox.web.schemas import DecisionRequest, DescribeBody, GroundBody, SimilarBody, UndoRequest, openapi_body
from phrasebox.web.service import Service

Split = Literal["train", "val", "test"]
State = Literal["open", "accepted", "rejected", "edited"]
assert Split.__args__ == SPLITS  # type: ignore[attr-defined]

_REASONS = {
    400: "The request is malformed, or the host name is not served.",
    401: "The token is missing or wrong.",
    403: "The request comes from another site's page.",
    404: "The image, phrase, workspace or captioner does not exist.",
    409: "The workspace or a model is not ready.",
    413: "The request has too many bytes or pixels.",
    415: "The body is neither JSON nor a form, or the file is not an image.",
    422: "A value is out of range, or the image is damaged.",
    429: "Too many requests are waiting.",
    503: "The request timed out while waiting for the models.",
    504: "The model timed out.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorResponse, "description": reason} for status, reason in _REASONS.items()
}
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {}}, "description": "The image, upright."}}
_OFFSET = Query(0, ge=0, lt=1 << 31, description="Number of results to skip.")


def router(service: Service) -> APIRouter:
    """Routes of the API for a service, to be mounted at `phrasebox.web.security.API`."""
    api, limits = APIRouter(responses=ERRORS), service.limits
    limit = Query(50, ge=1, le=limits.page, description="Largest number of results.")

    @api.get("/health", response_model=schemas.HealthResponse, tags=["service"])
    async def health() -> Any:
        """Check that the service runs, and get the number of requests waiting for the models."""
        return {"status": "ok", "waiting": service.worker.waiting}

    @api.post(
        "/ground",
        response_model=schemas.GroundingResponse,
        response_model_exclude_none=True,
        openapi_extra=openapi_body(schemas.GroundRequest, limits),
        tags=["models"],
    )
    async def ground(request: GroundBody) -> Any:
        """Ground a sentence in an image: phrases and their boxes."""
        body, image = request
        return (await service.ground(image, body.sentence, body.beta)).to_json(body.matrix)

    @api.post(
        "/describe",
        response_model=schemas.DescriptionResponse,
        openapi_extra=openapi_body(schemas.DescribeRequest, limits),
        tags=["models"],
    )
    async def describe(request: DescribeBody) -> Any:
        """Describe an image with a caption, and its most salient regions or the given boxes with phrases."""
        body, image = request
        found = await service.describe(image, body.regions, body.boxes, body.temperature, body.count, body.seed)
        return found.to_json()

    @api.get("/search", response_model=schemas.SearchResponse, tags=["models"])
    async def search(
        sentence: str = Query(min_length=1, description="Query."),
        k: int = Query(12, ge=1, le=limits.hits, description="Largest number of results."),
        region: bool = Query(False, description="Return single boxes instead of images."),
        min_score: float | None = Query(None, allow_inf_nan=False, description="Leave out hits with a lower score."),
    ) -> Any:
        """Images of the workspace that match a sentence best, with the best box of every word."""
        return {"hits": [hit.to_json() for hit in await service.search(sentence, k, region, min_score)]}

    @api.post(
        "/like",
        response_model=schemas.SimilarResponse,
        openapi_extra=openapi_body(schemas.SimilarRequest, limits),
        tags=["models"],
    )
    async def like(request: SimilarBody) -> Any:
        """Images and captions of the workspace most similar to an image."""
        body, image = request
        return (await service.like(image, body.k)).to_json()

    @api.get("/phrases", response_model=schemas.PhrasePageResponse, tags=["review"])
    def phrases(
        split: Split | None = None,
        text: str | None = Query(None, max_length=200, description="Text that the phrase contains."),
        min_score: float | None = Query(None, allow_inf_nan=False),
        min_words: int = Query(1, ge=0, lt=1 << 31),
        max_words: int = Query((1 << 31) - 1, ge=0, lt=1 << 31),
        state: State | None = None,
        image: str | None = Query(None, description="Key of an image."),
        offset: int = _OFFSET,
        limit: int = limit,
    ) -> Any:
        """Phrases of the workspace, filtered, with the decisions on them."""
        wanted = PhraseFilter(split, text, min_score, (min_words, max_words), state, image)
        return service.phrases(wanted, offset, limit).to_json()

    @api.post("/phrases/decide", response_model=schemas.ReviewedPhraseResponse, tags=["review"])
    def decide(body: DecisionRequest) -> Any:
        """Accept, reject or edit a phrase; the decision is on disk before the response is sent."""
        span = (body.span[0], body.span[1]) if body.span else None
        return service.review.decide(body.id, body.verdict, body.who, body.text, span, body.box).to_json()

    @api.post("/phrases/undo", response_model=schemas.UndoResponse, tags=["review"])
    def undo(body: UndoRequest) -> Any:
        """Undo a person's last decision."""
        found = service.review.undo(body.who)
        return {"phrase": found and found.to_json()}

    @api.get("/phrases/progress", response_model=schemas.ProgressResponse, tags=["review"])
    def progress() -> Any:
        """Number of phrases by state, and of decisions by person."""
        return asdict(service.review.progress())

    @api.get("/images", response_model=schemas.ImagePageResponse, tags=["workspace"])
    def images(split: Split | None = None, offset: int = _OFFSET, limit: int = limit) -> Any:
        """Images of the workspace with their captions."""
        total, found = service.images(split, offset, limit)
        rows = [{n: getattr(row, n) for n in schemas.ImageResponse.model_fields} for row in found]
        return {"total": total, "offset": offset, "images": rows}

    @api.get("/images/{key:path}", response_class=Response, responses=_PICTURE, tags=["workspace"])
    def image(
        key: str,
        width: int | None = Query(None, ge=1, le=1 << 16, description="Least width of the thumbnail, in pixels."),
    ) -> Response:
        """One image of the workspace, upright, as JPEG."""
        data = service.pictures.jpeg(key, width)
        return Response(data, media_type=MEDIA_TYPE, headers={"cache-control": "private, max-age=600"})

    @api.get("/results", response_model=schemas.ResultsResponse, tags=["workspace"])
    def results() -> Any:
        """Measurements of the workspace and the training histories of its models."""
        return asdict(service.results())

    return api

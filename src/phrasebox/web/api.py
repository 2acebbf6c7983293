"""The HTTP API of the models and the images: one path for each method of the service, with OpenAPI."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, Query, UploadFile
from starlette.responses import Response

from phrasebox.web import responses, schemas
from phrasebox.web.pictures import MEDIA_TYPE, to_jpeg
from phrasebox.web.schemas import DescribeBody, GroundBody, SimilarBody, openapi_body
from phrasebox.web.service import Service

if TYPE_CHECKING:
    from phrasebox.search import Hit

_REASONS = {
    400: "The request is malformed, or the host name is not served.",
    401: "The token is missing or wrong.",
    403: "The request comes from another site's page.",
    404: "The image, phrase, job, workspace or captioner does not exist.",
    408: "The body did not arrive in time.",
    409: "The workspace or a model is not ready, or what was shown has changed.",
    413: "The request has too many bytes or pixels.",
    415: "The body is neither JSON nor a form, or the file is not an image.",
    422: "A value is out of range, or the image is damaged.",
    429: "Too many requests are waiting, or too many wrong tokens were sent.",
    503: "The request timed out while waiting for the models.",
    504: "The model timed out.",
    507: "The workspace cannot be written to, as when the disk is full.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": responses.ErrorResponse, "description": reason} for status, reason in _REASONS.items()
}
ERRORS[409]["model"] = responses.ChangedResponse
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {MEDIA_TYPE: {}}, "description": "The image, upright."}}
OFFSET = Query(0, ge=0, lt=1 << 31, description="Number of results to skip.")


def router(service: Service) -> APIRouter:
    """Routes of the models, and of single images, to be mounted at `phrasebox.web.security.API`."""
    api, limits = APIRouter(responses=ERRORS), service.limits

    @api.get("/health", response_model=responses.HealthResponse, tags=["service"])
    async def health() -> Any:
        """Check that the service runs, and get the number of requests waiting for the models."""
        return {"status": "ok", "waiting": service.worker.waiting}

    @api.post(
        "/ground",
        response_model=responses.GroundingResponse,
        response_model_exclude_none=True,
        openapi_extra=openapi_body(schemas.GroundRequest, limits),
        tags=["models"],
    )
    async def ground(request: GroundBody) -> Any:
        """Ground a sentence in an image: phrases and their boxes; with ``matrix``, how they were decided."""
        body, image = request
        found = await service.ground(image, body.sentence, body.beta)
        values = await to_thread(found.to_json, body.matrix)
        return values | {"unknown_words": found.unknown_words}

    @api.post(
        "/describe",
        response_model=responses.DescriptionResponse,
        openapi_extra=openapi_body(schemas.DescribeRequest, limits),
        tags=["models"],
    )
    async def describe(request: DescribeBody) -> Any:
        """Describe an image with a caption, and its most salient regions or the given boxes with phrases."""
        body, image = request
        found = await service.describe(image, body.regions, body.boxes, body.temperature, body.count, body.seed)
        return found.to_json()

    @api.get("/search", response_model=responses.SearchResponse, tags=["models"])
    async def search(
        sentence: str = Query(min_length=1, description="Query."),
        k: int = Query(12, ge=1, le=limits.hits, description="Largest number of results."),
        region: bool = Query(False, description="Return single boxes instead of images."),
        min_score: float | None = Query(None, allow_inf_nan=False, description="Leave out hits with a lower score."),
        offset: int = Query(0, ge=0, lt=1 << 31, description="Rank of the first result."),
    ) -> Any:
        """Images of the workspace that match a sentence best, with the best box of every word."""
        found = await service.search(sentence, k, region, min_score, offset)
        return {
            "hits": await to_thread(_hits, service, found.hits),
            "offset": found.offset,
            "more": found.more,
            "weak_from": found.weak_from,
            "unknown_words": found.unknown_words,
        }

    @api.post(
        "/like",
        response_model=responses.SimilarResponse,
        openapi_extra=openapi_body(schemas.SimilarRequest, limits),
        tags=["models"],
    )
    async def like(request: SimilarBody) -> Any:
        """Images and captions of the workspace most similar to an image."""
        body, image = request
        found, more = await service.like(image, body.k, body.offset)
        images = await to_thread(_hits, service, found.images)
        return {"images": images, "sentences": [one.to_json() for one in found.sentences], "more": more}

    @api.post("/jpeg", response_class=Response, responses=PICTURE, tags=["service"])
    async def jpeg(
        image: UploadFile,
        side: Annotated[int, Form(ge=1, le=1 << 13, description="Most pixels of a side.")] = 2048,
    ) -> Response:
        """An uploaded image as an upright JPEG, for browsers that cannot show it themselves; nothing is stored."""
        return Response(await to_thread(to_jpeg, await image.read(), limits, side), media_type=MEDIA_TYPE)

    @api.get("/images/{key:path}", response_class=Response, responses=PICTURE, tags=["workspace"])
    def image(
        key: str,
        width: int | None = Query(None, ge=1, le=1 << 16, description="Least width of the thumbnail, in pixels."),
    ) -> Response:
        """One image of the workspace, upright, as JPEG."""
        data = service.pictures.jpeg(key, width)
        return Response(data, media_type=MEDIA_TYPE, headers={"cache-control": "private, max-age=600"})

    return api


def _hits(service: Service, hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """Hits with the size in pixels that their boxes refer to."""
    sizes = service.sizes_of(hit.key for hit in hits)
    return [hit.to_json() | dict(zip(("width", "height"), sizes.get(hit.key, (0, 0)), strict=True)) for hit in hits]

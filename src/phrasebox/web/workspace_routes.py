"""The HTTP API of the workspace: summary, map, images, regions and results."""

from __future__ import annotations

import json
from asyncio import to_thread
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Form, Query, UploadFile
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from phrasebox.errors import DataError, MissingExtraError, NotFoundError
from phrasebox.io import sample
from phrasebox.io.version import __version__
from phrasebox.web import workspace_responses as responses
from phrasebox.web.api import ERRORS, OFFSET, PICTURE
from phrasebox.web.pictures import MEDIA_TYPE, decode, encode
from phrasebox.web.schemas import Split
from phrasebox.web.service import Service
from phrasebox.web.uploads import add_image
from phrasebox.workspace.schema import ImageRow

_POINTS = 5000  # of the map
_CAPTIONS = 16  # of an added image
_THUMB = 640  # pixels of a sample
_ONE_DAY = {"cache-control": "private, max-age=86400"}
_CAPTION_LIST = TypeAdapter(list[str])


def router(service: Service) -> APIRouter:
    """Routes of the workspace as a whole, and of lists of its images."""
    api, limits = APIRouter(responses=ERRORS, tags=["workspace"]), service.limits

    @api.get("/workspace", response_model=responses.WorkspaceResponse)
    def workspace() -> Any:
        """What this service has: a workspace, models, sample photographs, limits."""
        seconds = service.loading
        return {
            "name": service.workspace.path.absolute().name if service.has_workspace else "",
            "has_workspace": service.has_workspace,
            "has_captioner": service.models.has_captioner,
            "version": __version__,
            "limits": {name: getattr(limits, name) for name in responses.LimitsResponse.model_fields},
            "samples": [{"name": name, "captions": sample.CAPTIONS[name]} for name in _samples()],
            "loading": None if seconds is None else {"seconds": round(seconds, 1)},
        }

    @api.get("/samples/{name}", response_class=Response, responses=PICTURE)
    def sample_picture(name: str) -> Response:
        """A sample photograph, as JPEG."""
        if name not in _samples():
            raise NotFoundError("there is no such photograph")
        return Response(_sample(name), media_type=MEDIA_TYPE, headers=_ONE_DAY)

    @lru_cache(maxsize=len(sample.CAPTIONS))
    def _sample(name: str) -> bytes:
        picture = Image.fromarray(decode((sample.images_folder() / name).read_bytes(), limits))
        picture.thumbnail((_THUMB, _THUMB))
        return encode(np.asarray(picture))

    @api.get("/summary", response_model=responses.SummaryResponse, response_model_exclude_none=True)
    def summary() -> Any:
        """Counts, histograms with the filter of each bar, progress of the review, and what to do next."""
        return service.summary()

    @api.get("/map", response_model=responses.MapResponse)
    def picture_map(limit: int = Query(_POINTS, ge=1, le=_POINTS, description="Largest number of images.")) -> Any:
        """The images in two dimensions: the first principal components of their vectors."""
        found = service.maps.map(limit)
        x, y = found.points.round(4).T.tolist()
        splits = service.pictures.splits(found.keys)
        return {
            "total": found.total,
            "explained": found.explained,
            "keys": found.keys,
            "splits": splits,
            "x": x,
            "y": y,
        }

    @api.get("/regions", response_model=responses.StoredRegionsResponse)
    def regions(image: str = Query(description="Key of an image.")) -> Any:
        """The stored regions of an image, best first; no model runs."""
        service.pictures.row(image)
        found = next((r for batch in service.workspace.regions(keys=[image]) for r in batch), None)
        if found is None:
            raise NotFoundError("this image has no regions yet; run: phrasebox regions WS")
        return {"width": found.width, "height": found.height, "boxes": np.round(found.boxes, 2).tolist()}

    @api.get("/images", response_model=responses.ImagePageResponse)
    def images(
        split: Split | None = None,
        key: str | None = Query(None, description="Only the image of this key."),
        offset: int = OFFSET,
        limit: int = Query(50, ge=1, le=limits.page, description="Largest number of results."),
    ) -> Any:
        """Images of the workspace with their captions."""
        if key is not None:
            row = service.pictures.row(key)
            total, found = 1, [row]
        else:
            total, found = service.images(split, offset, limit)
        return {"total": total, "offset": offset, "images": [_image(row) for row in found]}

    @api.post("/images", response_model=responses.AddedImageResponse, status_code=201)
    async def add(
        image: UploadFile,
        name: Annotated[str, Form(max_length=200)] = "",
        captions: Annotated[str, Form(description="JSON list of sentences about the image.")] = "[]",
        split: Annotated[Split, Form()] = "train",
    ) -> Any:
        """Add an image to the workspace; its regions and phrases are then found by the jobs regions and ground."""
        texts = _captions(captions, limits.sentence)
        data = await image.read()
        if not data:
            raise DataError("the image file is empty")
        named = name or image.filename or ""
        added = await to_thread(add_image, service.workspace, service.pictures, limits, data, named, texts, split)
        return _image(added.row) | {"known": added.known}

    @api.get("/results", response_model=responses.ResultsResponse)
    def results() -> Any:
        """Measurements of the workspace, one table a measure, and the training histories of its models."""
        return service.results().to_json()

    return api


def _samples() -> list[str]:
    """File names of the sample photographs, if they are installed."""
    try:
        folder = sample.images_folder()
    except MissingExtraError:
        return []
    return [name for name in sample.CAPTIONS if (folder / name).is_file()]


def _image(row: ImageRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in responses.ImageResponse.model_fields}


def _captions(given: str, longest: int) -> tuple[str, ...]:
    try:
        texts = tuple(" ".join(text.split()) for text in _CAPTION_LIST.validate_python(json.loads(given), strict=True))
    except (ValueError, RecursionError, ValidationError):
        raise DataError("captions are a JSON list of sentences") from None
    texts = tuple(dict.fromkeys(filter(None, texts)))
    if len(texts) > _CAPTIONS or any(len(text) > longest for text in texts):
        raise DataError(f"at most {_CAPTIONS} captions of at most {longest} characters are stored")
    return texts

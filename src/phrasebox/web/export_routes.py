"""The HTTP API of exports: formats, counts, and the download."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from phrasebox.formats import CAPTIONS_ONLY, CLASSES, coordinates
from phrasebox.stages.archive import archive
from phrasebox.web import workspace_responses as responses
from phrasebox.web.api import ERRORS
from phrasebox.web.schemas import Split
from phrasebox.web.service import Service

_ZIP = "application/zip"
_MIN_CONFIDENCE = Query(0.0, ge=0, le=1, allow_inf_nan=False, description="Leave out phrases with less confidence.")
_PARTS = Query(False, description="Leave out phrases whose region is the whole image.")
_REVIEWED = Query(False, description="Only what was accepted or edited.")


def router(service: Service) -> APIRouter:
    """Routes below ``/exports``."""
    api = APIRouter(prefix="/exports", responses=ERRORS, tags=["exports"])

    @api.get("", response_model=responses.FormatsResponse)
    def formats() -> Any:
        """The formats, and what the numbers of their boxes mean."""
        return {
            "formats": [
                {
                    "name": name,
                    "coordinates": meaning,
                    "captions_only": name in CAPTIONS_ONLY,
                    "classes": name in CLASSES,
                }
                for name, meaning in coordinates().items()
            ]
        }

    @api.get("/count", response_model=responses.ExportCountResponse)
    def count(
        split: Split | None = None,
        min_confidence: float = _MIN_CONFIDENCE,
        parts_only: bool = _PARTS,
        reviewed: bool = _REVIEWED,
    ) -> Any:
        """What an export with phrases would write."""
        counts = dict.fromkeys(responses.ExportCountResponse.model_fields, 0)
        for image in service.workspace.grounded(split):
            captions = 0
            for caption in image.captions:
                own = [one for one in caption.phrases if not (parts_only and one.whole_image)]
                own = [one for one in own if one.reviewed or not reviewed]
                kept = [one for one in own if one.confidence >= min_confidence]
                counts["all_phrases"] += sum(len(one.boxes) for one in own)
                counts["phrases"] += sum(len(one.boxes) for one in kept)
                counts["reviewed"] += sum(len(one.boxes) for one in kept if one.reviewed)
                captions += bool(kept) or not reviewed
            counts["captions"] += captions
            counts["images"] += bool(captions)
        return counts

    @api.get("/download", response_class=FileResponse, responses={200: {"content": {_ZIP: {}}}})
    def download(
        format: str = Query(max_length=40, description="One of `GET /exports`."),
        split: Split | None = None,
        min_confidence: float = _MIN_CONFIDENCE,
        parts_only: bool = _PARTS,
        reviewed: bool = _REVIEWED,
        image: list[str] = Query([], max_length=200, description="Keys of the images; default: all."),  # noqa: B008
    ) -> FileResponse:
        """The export as a zip file."""
        ws = service.workspace
        opened, name = tempfile.mkstemp(".zip", "phrasebox-")
        os.close(opened)
        out = Path(name)
        try:
            archive(ws, out, format, split, min_confidence, parts_only, reviewed, image)
        except BaseException:
            out.unlink(missing_ok=True)
            raise
        shown = f"{ws.path.absolute().name}-{format}.zip"
        clean_up = BackgroundTask(out.unlink, missing_ok=True)
        return FileResponse(out, media_type=_ZIP, filename=shown, background=clean_up)

    return api

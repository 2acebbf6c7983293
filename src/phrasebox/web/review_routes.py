"""The HTTP API of the review: phrases with filters, decisions, undo and progress."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from phrasebox.review import Acted, PhraseFilter, PhraseRecord, Sort
from phrasebox.web import responses
from phrasebox.web.api import ERRORS, OFFSET
from phrasebox.web.review_json import bars, progress_of
from phrasebox.web.schemas import DecisionRequest, ManyDecisionsRequest, Split, State, UndoRequest
from phrasebox.web.service import Service

_PICTURES = 20
_TOLD = 20  # phrases of an action that others are told


def _filter(
    split: Split | None = None,
    text: str | None = Query(None, max_length=200, description="Text that the phrase contains."),
    word: str | None = Query(None, max_length=200, description="Whole word that the phrase contains."),
    min_score: float | None = Query(None, allow_inf_nan=False),
    min_confidence: float | None = Query(None, allow_inf_nan=False, description="Least confidence."),
    max_confidence: float | None = Query(None, allow_inf_nan=False, description="The confidence is below this."),
    min_words: int = Query(1, ge=0, lt=1 << 31),
    max_words: int = Query((1 << 31) - 1, ge=0, lt=1 << 31),
    state: State | None = None,
    image: str | None = Query(None, description="Key of an image."),
    unknown: bool | None = Query(None, description="Whether the model has not learned the words."),
) -> PhraseFilter:
    lengths = (min_words, max_words)
    return PhraseFilter(split, text, min_score, lengths, state, image, word, min_confidence, max_confidence, unknown)


Wanted = Annotated[PhraseFilter, Depends(_filter)]


def router(service: Service) -> APIRouter:
    """Routes below ``/phrases``."""
    api, limits = APIRouter(prefix="/phrases", responses=ERRORS, tags=["review"]), service.limits
    sorted_by = Query("order", description="Order: of the images, or by confidence, the least or the most first.")

    @api.get("", response_model=responses.PhrasePageResponse)
    def phrases(
        wanted: Wanted,
        sort: Sort = sorted_by,
        offset: int = OFFSET,
        limit: int = Query(50, ge=1, le=limits.page, description="Largest number of results."),
    ) -> Any:
        """Phrases of the workspace, filtered, with the decisions on them."""
        return service.phrases(wanted, offset, limit, sort).to_json()

    @api.get("/one", response_model=responses.ReviewedPhraseResponse)
    def phrase(id: str = Query(description="Id of the phrase.")) -> Any:
        """One phrase as it is now."""
        return service.review.phrase(id).to_json()

    @api.get("/pictures", response_model=responses.PicturePageResponse)
    def pictures(
        wanted: Wanted,
        sort: Sort = sorted_by,
        offset: int = OFFSET,
        limit: int = Query(_PICTURES, ge=1, le=limits.page, description="Largest number of images."),
    ) -> Any:
        """Images with phrases that match, each with all its phrases."""
        page = service.review.pictures(wanted, offset, limit, sort)
        return {
            "total": page.total,
            "phrases": page.phrases,
            "offset": page.offset,
            "pictures": [
                {
                    **{name: getattr(records[0], name) for name in ("split", "width", "height")},
                    "image": records[0].key,
                    "captions": captions,
                    "matching": ids,
                    "phrases": [record.to_json() for record in records],
                }
                for captions, records, ids in page.pictures
            ],
        }

    @api.get("/histogram", response_model=responses.HistogramResponse, response_model_exclude_none=True)
    def histogram(wanted: Wanted) -> Any:
        """How sure the model is of the phrases that match, whatever confidence the filter wants."""
        return {"bars": bars(service.review.histogram(wanted))}

    @api.get("/progress", response_model=responses.ProgressResponse)
    def progress() -> Any:
        """Number of phrases by state, and of decisions by person."""
        return progress_of(service.review.progress())

    @api.post("/decide", response_model=responses.ReviewedPhraseResponse)
    def decide(body: DecisionRequest) -> Any:
        """Accept, reject or edit a phrase; the decision is on disk before the response is sent."""
        span = (body.span[0], body.span[1]) if body.span else None
        record = service.review.decide(
            body.id, body.verdict, body.who, body.text, span, body.box, body.version, body.decision
        )
        _tell(service, body.who, Acted(record.decision, 1, (record,)))
        return record.to_json()

    @api.post("/decide-many", response_model=responses.ActedResponse)
    def decide_many(body: ManyDecisionsRequest) -> Any:
        """Accept or reject many phrases as one action, which one undo takes back."""
        if body.filter is not None:
            phrases = body.filter.to_filter()
        else:
            phrases = [(one.id, one.version) for one in body.phrases or ()]
        done = service.review.decide_many(body.verdict, body.who, phrases, body.count, body.decision)
        _tell(service, body.who, done)
        return _acted(done)

    @api.post("/undo", response_model=responses.ActedResponse)
    def undo(body: UndoRequest) -> Any:
        """Undo a person's last action."""
        done = service.review.undo(body.who, body.decision)
        _tell(service, body.who, done, undone=True)
        return _acted(done)

    @api.post("/redo", response_model=responses.ActedResponse)
    def redo(body: UndoRequest) -> Any:
        """Do again what a person undid last."""
        done = service.review.redo(body.who, body.decision)
        _tell(service, body.who, done)
        return _acted(done)

    return api


def _acted(done: Acted | None) -> dict[str, Any]:
    if done is None:
        return {"decision": None, "count": 0, "phrase": None, "phrases": [], "changed": []}
    phrases = [record.to_json() for record in done.phrases]
    return {
        "decision": done.decision,
        "count": done.count,
        "phrase": phrases[0] if phrases else None,
        "phrases": phrases,
        "changed": done.changed,
    }


def _tell(service: Service, who: str, done: Acted | None, undone: bool = False) -> None:
    """Tell the open pages about an action."""
    if done is None or not done.count or not service.events.clients:
        return
    shown: list[PhraseRecord] = list(done.phrases[:_TOLD])
    told = {"who": " ".join(who.split()), "decision": done.decision, "undone": undone, "count": done.count}
    phrases = {"phrases": [record.to_json() for record in shown]}
    service.events.publish("decision", {**told, **phrases, "progress": progress_of(service.review.progress())})

"""Responses of the HTTP API. Values are those of the command line's ``--json``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

Corners = tuple[float, float, float, float]


class ErrorResponse(BaseModel):
    """Error message in one line."""

    error: str


class HealthResponse(BaseModel):
    """The service is running."""

    status: Literal["ok"]
    waiting: int


class PhraseResponse(BaseModel):
    """A phrase and its boxes in ``xyxy`` pixels, the best as ``box``; its score is a cosine for the built-in model."""

    text: str
    span: tuple[int, int]
    box: Corners
    boxes: list[Corners]
    score: float
    confidence: float
    whole_image: bool
    unknown: bool = False


class WordResponse(BaseModel):
    """A word of a sentence with its characters ``[start, end)``."""

    text: str
    start: int
    end: int


class SegmentResponse(BaseModel):
    """Consecutive words ``[start, end)`` to which the chain gives one region."""

    start: int
    end: int
    region: int
    box: Corners
    text: str


class GroundingResponse(BaseModel):
    """Phrases of a sentence with their boxes; the fields from ``words`` on if ``matrix`` was set.

    ``scores`` and ``prior`` are words by regions, ``assignment`` and ``best`` a region for each word as the phrases and
    as the scores alone have it, ``regions`` a region for each phrase, -1 for none.
    """

    image: str
    caption: str
    score: float
    beta: float
    width: int
    height: int
    phrases: list[PhraseResponse]
    unknown_words: list[str]
    words: list[WordResponse] | None = None
    boxes: list[Corners] | None = None
    scores: list[list[float]] | None = None
    prior: list[list[float]] | None = None
    assignment: list[int] | None = None
    segments: list[SegmentResponse] | None = None
    best: list[int] | None = None
    regions: list[int] | None = None


class SeenResponse(BaseModel):
    """What a classifier sees in the image, and whether the captioner has a word for it."""

    name: str
    share: float
    known: bool


class RegionResponse(BaseModel):
    """A described region; ``shown`` is the text, or what is likely there where it is not sure."""

    text: str
    box: Corners
    score: float
    captions: list[str]
    confidence: float | None
    sure: bool
    shown: str
    likely: list[SeenResponse]


class DescriptionResponse(BaseModel):
    """A described image; ``shown`` is the caption, or what is likely there where it is not sure."""

    image: str
    width: int
    height: int
    caption: str
    score: float
    captions: list[str]
    confidence: float | None
    sure: bool
    shown: str
    likely: list[SeenResponse]
    regions: list[RegionResponse]
    seen: list[SeenResponse]


class WordHitResponse(WordResponse):
    """A word of the query with its best box in an image."""

    box: Corners
    score: float


class HitResponse(BaseModel):
    """A found image or box; boxes are in pixels of the image of ``width`` and ``height``."""

    key: str
    score: float
    plain: float
    weak: bool
    box: Corners | None
    words: list[WordHitResponse]
    phrases: list[PhraseResponse]
    width: int
    height: int


class SearchResponse(BaseModel):
    """One page of the found images or boxes, best first; ``weak_from`` is the rank of the first weak one so far."""

    hits: list[HitResponse]
    offset: int
    more: bool
    weak_from: int | None
    unknown_words: list[str]


class SentenceHitResponse(BaseModel):
    """A caption of the workspace that fits an image."""

    key: str
    caption: int
    text: str
    score: float


class SimilarResponse(BaseModel):
    """One page of the images and sentences similar to an image, best first."""

    images: list[HitResponse]
    sentences: list[SentenceHitResponse]
    more: bool


class DecodedPhraseResponse(BaseModel):
    """Span and box of a phrase as it was decoded."""

    span: tuple[int, int]
    box: Corners


class ReviewedPhraseResponse(PhraseResponse):
    """A phrase of the workspace in its current state, with its decision."""

    id: str
    image: str
    split: str
    caption: int
    index: int
    sentence: str
    width: int
    height: int
    found: DecodedPhraseResponse
    state: Literal["open", "accepted", "rejected", "edited"]
    who: str
    when: str
    version: str


class PhrasePageResponse(BaseModel):
    """One page of the matching phrases, and how many match."""

    total: int
    offset: int
    phrases: list[ReviewedPhraseResponse]


class ReviewedPictureResponse(BaseModel):
    """An image with all its phrases, and the ids of those that match the filter."""

    image: str
    split: str
    width: int
    height: int
    captions: list[str]
    matching: list[str]
    phrases: list[ReviewedPhraseResponse]


class PicturePageResponse(BaseModel):
    """One page of the images with matching phrases, and how many images and phrases match."""

    total: int
    phrases: int
    offset: int
    pictures: list[ReviewedPictureResponse]


class FilterResponse(BaseModel):
    """The query parameters of `GET /phrases` that find what a bar counts."""

    word: str | None = None
    min_words: int | None = None
    max_words: int | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None


class ConfidenceBarResponse(BaseModel):
    """Phrases with a confidence from ``low`` to below ``high``, and those of them without a decision."""

    low: float
    high: float
    count: int
    open: int
    filter: FilterResponse


class HistogramResponse(BaseModel):
    """Histogram of confidence."""

    bars: list[ConfidenceBarResponse]


class ActedResponse(BaseModel):
    """What became of an action on phrases: its id (null if nothing was done), their number, and the first of them.

    ``phrase`` is the only or first one; ``changed`` are ids of phrases that were left alone, as they have changed.
    """

    decision: str | None
    count: int
    phrase: ReviewedPhraseResponse | None
    phrases: list[ReviewedPhraseResponse]
    changed: list[str]


class ProgressResponse(BaseModel):
    """Phrases by state, decisions in force by person, decisions a minute, and the minutes left at this pace."""

    total: int
    open: int
    accepted: int
    rejected: int
    edited: int
    people: dict[str, int]
    pace: float
    minutes_left: float | None = None


class ChangedResponse(ErrorResponse):
    """What was shown has changed: the phrase as it is now, or the number of phrases that match now."""

    phrase: ReviewedPhraseResponse | None = None
    count: int | None = None

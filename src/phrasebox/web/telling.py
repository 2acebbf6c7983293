"""What the API answers, as OpenAPI describes it; the values are those of the command line's ``--json``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel


class Problem(BaseModel):
    """Why something was not done, in one line."""

    error: str


class Health(BaseModel):
    """That the service is there."""

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
    """A word of a sentence and its characters."""

    text: str
    start: int
    end: int


class ToldGrounding(BaseModel):
    """Which words describe which part; what begins at ``words`` if ``matrix`` was asked for."""

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
    """A region in words."""

    text: str
    box: tuple[float, float, float, float]
    score: float
    captions: list[str]


class ToldDescription(BaseModel):
    """An image in words."""

    image: str
    width: int
    height: int
    caption: str
    score: float
    captions: list[str]
    regions: list[ToldRegion]


class Hits(BaseModel):
    """Images or boxes that were found, best first, each with which word found which box."""

    hits: list[dict[str, Any]]


class Alike(BaseModel):
    """What is like an image, best first."""

    images: list[dict[str, Any]]
    sentences: list[dict[str, Any]]


class Found(BaseModel):
    """A phrase as the model had it."""

    span: tuple[int, int]
    box: tuple[float, float, float, float]


class Reviewed(ToldPhrase):
    """A phrase of the workspace as it stands, and what was decided about it."""

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
    """Some of the phrases that were asked for, and how many there are."""

    total: int
    offset: int
    phrases: list[Reviewed]


class Undone(BaseModel):
    """The phrase as it stands after the last decision was taken back; null if there was none."""

    phrase: Reviewed | None


class ToldProgress(BaseModel):
    """Phrases by state, and decisions that hold by person."""

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
    """Some of the images, and how many there are."""

    total: int
    offset: int
    images: list[ToldImage]


class ToldResults(BaseModel):
    """Tables of measurements, and the epochs of each model's training."""

    tables: list[dict[str, Any]]
    trainings: dict[str, list[dict[str, Any]]]

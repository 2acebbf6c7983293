"""Responses of the HTTP API about the workspace: images, summary, results, exports and jobs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from phrasebox.web.responses import ConfidenceBarResponse, Corners, FilterResponse, ProgressResponse


class ImageResponse(BaseModel):
    """An image of the workspace; width and height are 0 where unknown."""

    key: str
    split: str
    width: int
    height: int
    captions: list[str]


class ImagePageResponse(BaseModel):
    """One page of the images, and how many there are."""

    total: int
    offset: int
    images: list[ImageResponse]


class StoredRegionsResponse(BaseModel):
    """Regions of an image in the workspace, best first."""

    width: int
    height: int
    boxes: list[Corners]


class AddedImageResponse(ImageResponse):
    """An image that was added; ``known`` if the workspace had it."""

    known: bool


class SampleResponse(BaseModel):
    """A photograph to try with, and sentences about it."""

    name: str
    captions: list[str]


class LoadingResponse(BaseModel):
    """For how long the models have been loading."""

    seconds: float


class LimitsResponse(BaseModel):
    """What requests may ask for."""

    bytes: int
    pixels: int
    sentence: int
    hits: int
    depth: int
    regions: int
    count: int
    page: int
    seconds: float


class WorkspaceResponse(BaseModel):
    """What the service has; the name is empty without a workspace."""

    name: str
    has_workspace: bool
    has_captioner: bool
    version: str
    limits: LimitsResponse
    samples: list[SampleResponse]
    loading: LoadingResponse | None


class CountsResponse(BaseModel):
    """Numbers of images, captions, images with regions, phrases, and what was left out."""

    images: int
    captions: int
    regions: int
    phrases: int
    skipped: int


class SplitResponse(BaseModel):
    """Numbers of a split."""

    split: str
    images: int
    captions: int
    phrases: int


class WordBarResponse(BaseModel):
    """Phrases with a word."""

    text: str
    count: int
    filter: FilterResponse


class LengthBarResponse(BaseModel):
    """Phrases of so many words."""

    words: int
    count: int
    filter: FilterResponse


class StepResponse(BaseModel):
    """What to do next: why, the command, and the job that does it."""

    what: str
    command: str
    job: str | None = None


class SummaryResponse(BaseModel):
    """The workspace at a glance."""

    counts: CountsResponse
    splits: list[SplitResponse]
    words: list[WordBarResponse]
    lengths: list[LengthBarResponse]
    confidence: list[ConfidenceBarResponse]
    review: ProgressResponse
    next: list[StepResponse]


class MapResponse(BaseModel):
    """Images in two dimensions, by the first two principal components of their vectors, each from -1 to 1."""

    total: int
    explained: list[float]
    keys: list[str]
    splits: list[str]
    x: list[float]
    y: list[float]


class MeasureRowResponse(BaseModel):
    """A run's figures; ``trained_on`` if they are of the split that models are trained on."""

    run: str
    split: str
    trained_on: bool
    values: list[float | int | str | None]


class MeasureResponse(BaseModel):
    """One measure with a row for each run."""

    measure: str
    columns: list[str]
    rows: list[MeasureRowResponse]


class EmptyResponse(BaseModel):
    """Why there is nothing, and the command that changes it."""

    what: str
    command: str


class ResultsResponse(BaseModel):
    """Tables of measurements, and the epochs of each model's training."""

    tables: list[dict[str, Any]]
    trainings: dict[str, list[dict[str, Any]]]
    measures: list[MeasureResponse]
    empty: EmptyResponse | None


class FormatResponse(BaseModel):
    """A format to export to."""

    name: str
    coordinates: str
    captions_only: bool
    classes: bool


class FormatsResponse(BaseModel):
    """The formats to export to."""

    formats: list[FormatResponse]


class ExportCountResponse(BaseModel):
    """What an export would write; ``all_phrases`` counts those that the least confidence leaves out too."""

    images: int
    captions: int
    phrases: int
    reviewed: int
    all_phrases: int


class JobProgressResponse(BaseModel):
    """How far a job is; what is not known is null."""

    what: str
    done: int
    total: int | None
    rate: float | None
    left: float | None


class JobResponse(BaseModel):
    """A job: a command on the workspace in a process of its own."""

    id: str
    stage: str
    options: dict[str, int | float | bool | str]
    command: str
    state: Literal["running", "finished", "found", "failed", "stopped"]
    started: str
    ended: str | None
    seconds: float
    progress: JobProgressResponse | None
    curve: list[dict[str, float]]
    result: str
    error: str


class OptionResponse(BaseModel):
    """An option of a job."""

    name: str
    kind: Literal["int", "float", "bool", "text", "choice"]
    values: list[str]
    default: int | float | bool | str | None
    help: str


class StageResponse(BaseModel):
    """A job that can be started."""

    stage: str
    help: str
    options: list[OptionResponse]


class JobsResponse(BaseModel):
    """The jobs, newest first, and those that can be started."""

    jobs: list[JobResponse]
    running: str | None
    stages: list[StageResponse]


class LogResponse(BaseModel):
    """A part of a job's log, and where the next part begins."""

    text: str
    offset: int
    ended: bool

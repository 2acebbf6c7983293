"""How good it is: the protocols of retrieval, grounding and segmentation, as pure functions on scores and boxes."""

from phrasebox.evaluate.grounding import Accuracy, GroundingCase, GroundingReport, PhraseScores, grounding_report
from phrasebox.evaluate.grounding_tables import grounding_tables
from phrasebox.evaluate.retrieval import RetrievalReport, retrieval
from phrasebox.evaluate.segmentation import (
    SegmentationCase,
    SegmentationReport,
    SegmentationScores,
    segmentation_report,
)
from phrasebox.evaluate.spans import SpanReport, SpanScores, span_report
from phrasebox.evaluate.tables import ResultRow, ResultTable, combine

__all__ = [
    "Accuracy",
    "GroundingCase",
    "GroundingReport",
    "PhraseScores",
    "ResultRow",
    "ResultTable",
    "RetrievalReport",
    "SegmentationCase",
    "SegmentationReport",
    "SegmentationScores",
    "SpanReport",
    "SpanScores",
    "combine",
    "grounding_report",
    "grounding_tables",
    "retrieval",
    "segmentation_report",
    "span_report",
]

"""Bulk jobs: one mapper an operation, run in this process, in several processes, or on a Ray cluster."""

from phrasebox.pipeline.base import Engine
from phrasebox.pipeline.bulk import run, stream
from phrasebox.pipeline.mapper import Mapped, Mapper

__all__ = ["Engine", "Mapped", "Mapper", "run", "stream"]

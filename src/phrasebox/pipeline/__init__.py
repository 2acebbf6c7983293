"""A bulk job by one mapper an operation, wherever it runs: in this process, in several, or on a Ray cluster."""

from phrasebox.pipeline.base import Engine
from phrasebox.pipeline.bulk import run, stream
from phrasebox.pipeline.mapper import Mapped, Mapper

__all__ = ["Engine", "Mapped", "Mapper", "run", "stream"]

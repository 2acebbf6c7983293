"""A bulk job by one mapper an operation, wherever it runs: in this process, in several, or on a Ray cluster."""

from phrasebox.bulk.engine import Engine, run, stream
from phrasebox.bulk.mapper import Mapped, Mapper

__all__ = ["Engine", "Mapped", "Mapper", "run", "stream"]

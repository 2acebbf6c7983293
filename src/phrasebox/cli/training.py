"""What the commands that train share: how it is computed, and the processes that do it together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from phrasebox.cli.app import Common
from phrasebox.cli.shared import Session, session

if TYPE_CHECKING:
    from phrasebox.training.execution import Execution


@Parameter(name="*")
@dataclass(frozen=True)
class Computing:
    """How a training is computed; see docs/training.md."""

    micro_batch: Annotated[int, Parameter(validator=Number(gte=0))] = 0
    "Images that a process takes at a time, for batches larger than memory; 0 takes its whole share."
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    "Of the products in the networks."
    compile: bool = False
    "Compile the networks with torch.compile."
    memory: str | None = None
    "Size such as 4GB that vectors may take; more are read as they are needed. Half of what is free by default."

    @property
    def execution(self) -> Execution:
        """The same for the library."""
        from phrasebox.training.execution import Execution

        return Execution(self.micro_batch, self.precision, self.compile, self.memory)  # type: ignore[arg-type]


COMPUTING = Computing()


@contextmanager
def together(ws: Path, common: Common) -> Iterator[tuple[Session, Common]]:
    """Meet the other processes where torchrun started some, and open a workspace; the first locks it and speaks."""
    from phrasebox.training import distributed

    with distributed.joined(common.device) as device:
        if not distributed.first():
            common = replace(common, quiet=True, json=False)
        common = replace(common, device=device)
        with session(ws, common, writes=distributed.first()) as opened:
            yield opened, common

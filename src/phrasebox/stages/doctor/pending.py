"""What a workspace lacks: the stages that have something to do, in the order to run them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from phrasebox.io.wording import counted
from phrasebox.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do next.

    Attributes
    ----------
    what : str
        Why.
    command : str
        The command that does it.
    stage : str
        Its stage; empty for what is not a stage.
    """

    what: str
    command: str
    stage: str = ""


def pending_stages(ws: Workspace) -> Iterator[Step]:
    """The stages that have images to process."""
    regioned = ws.keys("regions")
    for stage, table in (("regions", "regions"), ("ground", "phrases")):
        todo = ws.pending(table, stage)
        if stage == "ground":
            todo = [key for key in todo if key in regioned]
        if todo:
            yield Step(f"{counted(len(todo), 'image')} without {table}", f"phrasebox {stage} {ws.path}", stage)


def next_steps(ws: Workspace) -> list[Step]:
    """What to do next in a workspace, the first first; found without reading images or vectors."""
    if not ws.count("images"):
        return [Step("the workspace holds no images", f"phrasebox import SOURCE {ws.path}")]
    steps = list(pending_stages(ws))
    phrases = ws.count("phrases")
    if not phrases and not any(step.stage == "ground" for step in steps) and not ws.keys("phrases"):
        steps.append(Step("no image has captions that were grounded", f"phrasebox ground {ws.path}", "ground"))
    if phrases and not any((ws.path / "results").glob("*.json")):
        steps.append(Step("nothing was measured", f"phrasebox evaluate {ws.path}", "evaluate"))
    return steps

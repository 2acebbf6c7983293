"""phrasebox doctor: report problems and how to solve them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from phrasebox.cli.app import COMMON, Common


def doctor(
    ws: Annotated[Path | None, Parameter(help="The workspace folder; without it, only the machine is checked.")] = None,
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Check the machine and a workspace; print one line per finding. The exit code is 1 if something is broken."""
    from phrasebox.stages.doctor import MARKS, examine

    found = []
    for finding in examine(ws, common.device, common.workers):
        found.append(finding)
        if not common.silent:
            remedy = f" -> {finding.remedy}" if finding.remedy else ""
            print(f"{MARKS[finding.level]} {finding.area:9} {finding.what}{remedy}", flush=True)
    healthy = all(finding.level != "broken" for finding in found)
    if common.json:
        print(json.dumps({"healthy": healthy, "findings": [asdict(finding) for finding in found]}, ensure_ascii=False))
    if not healthy:
        sys.exit(1)

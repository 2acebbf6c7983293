"""phrasebox doctor: what is wrong, and what to do about it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from phrasebox.cli.app import COMMON, Common

_MARKS = {"ok": "ok    ", "note": "note  ", "broken": "BROKEN"}


def doctor(
    ws: Annotated[Path | None, Parameter(help="The workspace folder; the machine alone otherwise.")] = None,
    /,
    *,
    common: Common = COMMON,
) -> None:
    """Look over the machine, a workspace and its data, and say in a line each what to do; 1 if something is broken."""
    from phrasebox.stages.doctor import examine

    found = []
    for finding in examine(ws, common.device, common.workers):
        found.append(finding)
        if not common.silent:
            remedy = f" -> {finding.remedy}" if finding.remedy else ""
            print(f"{_MARKS[finding.level]} {finding.area:9} {finding.what}{remedy}", flush=True)
    healthy = all(finding.level != "broken" for finding in found)
    if common.json:
        print(json.dumps({"healthy": healthy, "findings": [asdict(finding) for finding in found]}, ensure_ascii=False))
    if not healthy:
        sys.exit(1)

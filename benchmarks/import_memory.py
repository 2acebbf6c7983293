"""Speed and memory of importing JSONL files of 10,000 to 1,000,000 lines.

Each line is one image with a short caption and one phrase with a box. The image files are links to a few pictures, so
that each is opened as in a real import. ``read`` is the reader of the format alone; ``import`` is the whole command
``phrasebox import``. Each measurement runs in its own process; memory is its maximum resident set size.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table

from phrasebox.formats import read_source

SHARED = 250  # pictures


def make_pictures(folder: Path, lines: int) -> None:
    shared = folder / "shared"
    shared.mkdir(parents=True)
    for number in range(SHARED):
        Image.new("RGB", (16, 12), (number, 0, 0)).save(shared / f"{number}.png")
    for number in range(-(-lines // SHARED)):
        (folder / f"d{number}").symlink_to(shared, target_is_directory=True)


def rows(format: str, lines: int) -> Iterator[dict]:
    for number in range(lines):
        name, caption = f"d{number // SHARED}/{number % SHARED}.png", f"a dog beside cat {number}"
        if format == "odvg":
            region = {"bbox": [1, 1, 9, 9], "phrase": "a dog", "tokens_positive": [[0, 5]]}
            grounding = {"caption": caption, "regions": [region]}
            yield {"filename": name, "height": 12, "width": 16, "grounding": grounding}
        else:
            objects = {"bbox": [[1, 1, 8, 8]], "phrase": ["a dog"], "span": [[0, 5]]}
            yield {"file_name": name, "text": caption, "objects": objects}


def measure(what: str, source: Path, format: str) -> None:
    """Run in its own process: print seconds, number of images and MB."""
    started = time.monotonic()
    if what == "read":
        images = sum(1 for _ in read_source(source, format))
    else:
        from phrasebox.stages.import_ import import_source
        from phrasebox.workspace.workspace import Workspace

        with tempfile.TemporaryDirectory(dir=source.parent.parent) as ws:
            images = import_source(Workspace.create(ws), source, format, quiet=True).images
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    print(json.dumps([seconds, images, peak]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--formats", nargs="+", default=["odvg", "imagefolder"], choices=["odvg", "imagefolder"])
    parser.add_argument("--what", nargs="+", default=["read", "import"], choices=["read", "import"])
    parser.add_argument("--folder", type=Path, help="folder for temporary files; default: that of the system")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        what, source, format = asked.child
        return measure(what, Path(source), format)
    table = Table("format", "what", "lines", "seconds", "rows/s", "peak memory, MB")
    for format in asked.formats:
        for lines in asked.lines:
            with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
                folder = Path(temporary).resolve() / "data"
                make_pictures(folder, lines)
                file = folder / "metadata.jsonl"
                with file.open("w") as out:
                    out.writelines(json.dumps(row) + "\n" for row in rows(format, lines))
                for what in asked.what:
                    command = [sys.executable, __file__, "--child", what, str(file), format]
                    done = subprocess.run(command, check=True, capture_output=True, text=True)
                    seconds, images, peak = json.loads(done.stdout.splitlines()[-1])
                    assert images == lines
                    cells = format, what, f"{lines:,}", f"{seconds:.1f}", f"{images / seconds:,.0f}", f"{peak:.0f}"
                    table.add_row(*cells)
                    print(*cells, file=sys.stderr, flush=True)
    Console().print(table)


if __name__ == "__main__":
    main()

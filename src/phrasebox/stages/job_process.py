"""Run a command as a job, in a process of its own: ``python -m phrasebox.stages.job_process FOLDER ARGUMENTS``.

The folder gets a file `CODE` with the exit code; without it, the job was killed. Progress is told every second.
"""

from __future__ import annotations

import runpy
import signal
import sys
import traceback
from pathlib import Path

from phrasebox.io.atomic import write_whole
from phrasebox.pipeline import progress

CODE = "code"
"""File with the exit code of a job that has ended."""


def main() -> None:
    """Run the command in ``sys.argv``."""
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a server in the background may ignore it
    progress.SECONDS_BETWEEN_LINES = 1.0
    sys.argv = ["phrasebox", *arguments]
    code = 1
    try:
        runpy.run_module("phrasebox", run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        write_whole(folder / CODE, str(code).encode())
    sys.exit(code)


if __name__ == "__main__":
    main()

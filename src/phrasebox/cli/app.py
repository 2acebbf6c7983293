"""The command-line application, the options of every command, and how errors are reported."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number
from pydantic import ValidationError

from phrasebox.errors import PhraseboxError
from phrasebox.io.offline import go_offline, is_offline
from phrasebox.io.settings import plain
from phrasebox.io.version import __version__
from phrasebox.workspace.run_log import COMMAND_LINE

app = App(
    name="phrasebox",
    help="Learn which words of a caption describe which part of an image, from captions alone.",
    version=__version__,
    version_flags=["--version"],
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,  # `main` prints how to continue
)

Preset = Literal["modern", "paper"]
Split = Literal["train", "val", "test"]
WorkspacePath = Annotated[Path, Parameter(help="The workspace folder.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Options of every command."""

    json: bool = False
    "Print the result as JSON."
    quiet: bool = False
    "Print no progress and no result, only errors."
    device: str = "cpu"
    "Torch device: cpu, cuda or mps."
    workers: Annotated[int, Parameter(validator=Number(gte=1))] = os.cpu_count() or 1
    "Number of processor threads."
    seed: int = 0
    "Random seed."
    offline: bool = False
    "Open no network connection; use only files that are on this machine."

    def __post_init__(self) -> None:
        if self.offline:
            go_offline()

    @property
    def silent(self) -> bool:
        """Whether to show no progress: with ``quiet`` or ``json``."""
        return self.quiet or self.json


COMMON = Common()
_STOPPED = "phrasebox: stopped; run the same command again to continue"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; a user's error is one line on standard error, with exit code 1, or 2 for wrong usage."""
    if is_offline():
        go_offline()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
        sys.unraisablehook = _stop_in_finaliser
    COMMAND_LINE.set(tuple(sys.argv[1:] if arguments is None else arguments))
    try:
        app(arguments, result_action="return_value", print_error=False, exit_on_error=False)
    except CycloptsError as error:
        if isinstance(error.__cause__, ValidationError):
            print(f"{_name()}: {plain(error.__cause__)}", file=sys.stderr)
            sys.exit(1)
        print(f"{_name()}: {_one_line(error).removesuffix('.')}; see --help", file=sys.stderr)
        sys.exit(2)
    except PhraseboxError as error:
        print(f"{_name()}: {_one_line(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        _end_stopped()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{_name()}: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if not _caused_by_interrupt(error):
            raise
        _end_stopped()


def _end_stopped() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(_STOPPED, file=sys.stderr)
    sys.exit(130)


def _caused_by_interrupt(error: BaseException) -> bool:
    """Whether a `KeyboardInterrupt` caused an error; Python wraps one that a class' ``__set_name__`` raises."""
    cause = error.__cause__
    return cause is not None and (isinstance(cause, KeyboardInterrupt) or _caused_by_interrupt(cause))


def _stop(*_: object) -> NoReturn:
    """First Ctrl-C: stop after the write in progress. Second Ctrl-C: stop at once, which is as safe as a kill."""
    signal.signal(signal.SIGINT, _stop_at_once)
    raise KeyboardInterrupt


def _stop_in_finaliser(ignored: sys.UnraisableHookArgs) -> None:
    """Stop after a Ctrl-C during a finaliser; Python ignores all errors raised in one."""
    if ignored.exc_type is KeyboardInterrupt:
        _stop_at_once()
    sys.__unraisablehook__(ignored)


def _stop_at_once(*_: object) -> NoReturn:
    os.write(2, f"{_STOPPED}\n".encode())
    os._exit(130)


def _name() -> str:
    """Prefix of error messages: the program, and the rank of the process in distributed training."""
    rank = os.environ.get("RANK", "")
    return f"phrasebox, process {rank}" if rank and os.environ.get("WORLD_SIZE", "1") != "1" else "phrasebox"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

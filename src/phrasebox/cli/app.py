"""The application, what every command takes, and how errors are told."""

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
    suppress_keyboard_interrupt=False,  # `main` says how to go on
)

Preset = Literal["modern", "paper"]
Split = Literal["train", "val", "test"]
WorkspacePath = Annotated[Path, Parameter(help="The workspace folder.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """What every command takes."""

    json: bool = False
    "Print the result as JSON, for machines."
    quiet: bool = False
    "Print no progress and no result; errors are still told."
    device: str = "cpu"
    "A torch device: cpu, cuda, mps."
    workers: Annotated[int, Parameter(validator=Number(gte=1))] = os.cpu_count() or 1
    "Processor threads."
    seed: int = 0
    "Seed of everything random."
    offline: bool = False
    "Open no connection; what is not on this machine cannot be had."

    def __post_init__(self) -> None:
        if self.offline:
            go_offline()

    @property
    def silent(self) -> bool:
        """No progress is shown: nothing is wanted, or JSON alone."""
        return self.quiet or self.json


COMMON = Common()
_STOPPED = "phrasebox: stopped; run the same command again to go on"


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: errors a user can cause are one line on standard error, and exit code 1, or 2 for the usage."""
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
        if not _comes_of_a_stop(error):
            raise
        _end_stopped()


def _end_stopped() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is to end
    print(_STOPPED, file=sys.stderr)
    sys.exit(130)


def _comes_of_a_stop(error: BaseException) -> bool:
    """Whether the wish to stop became another error: Python makes one of what a class' ``__set_name__`` raises."""
    cause = error.__cause__
    return cause is not None and (isinstance(cause, KeyboardInterrupt) or _comes_of_a_stop(cause))


def _stop(*_: object) -> NoReturn:
    """Stop once what is being written is; asked a second time, stop at once, which loses no more than a kill does."""
    signal.signal(signal.SIGINT, _stop_at_once)
    raise KeyboardInterrupt


def _stop_in_finaliser(ignored: sys.UnraisableHookArgs) -> None:
    """Stop where the wish fell into a finaliser, out of which Python lets no error go."""
    if ignored.exc_type is KeyboardInterrupt:
        _stop_at_once()
    sys.__unraisablehook__(ignored)


def _stop_at_once(*_: object) -> NoReturn:
    os.write(2, f"{_STOPPED}\n".encode())
    os._exit(130)


def _name() -> str:
    """Who speaks: among processes that train together, which of them."""
    rank = os.environ.get("RANK", "")
    return f"phrasebox, process {rank}" if rank and os.environ.get("WORLD_SIZE", "1") != "1" else "phrasebox"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

"""The commands that make a workspace again, from the record of its runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from phrasebox.aligner.stored import BUILT_IN, NAME, NOTHING
from phrasebox.captioner.settings import BUILT_IN as BUILT_IN_CAPTIONER
from phrasebox.captioner.settings import NAME as CAPTIONER
from phrasebox.errors import WorkspaceError
from phrasebox.io.atomic import digest
from phrasebox.io.model_folder import stored_id
from phrasebox.io.old_names import removed
from phrasebox.io.settings import PRESET_NAMES, option_names
from phrasebox.models.saved_model import BUILT_IN_NAME, model_folder
from phrasebox.regions.compatibility import STAGE as REGIONS
from phrasebox.regions.proposers.settings import NAME as PROPOSER
from phrasebox.stages.own_vectors import BACKBONE as OWN_VECTORS
from phrasebox.stages.settings import TABLES, start_of, values_of
from phrasebox.workspace.run_log import Run, versions
from phrasebox.workspace.workspace import Workspace

COMPUTED = ("micro_batch", "precision", "compile")
"""Options of training commands that change results by rounding only."""
_NAMES = {"propose": PROPOSER, "align": NAME, "caption": CAPTIONER}


@dataclass(frozen=True, slots=True)
class Step:
    """One command (its words, unquoted), and notes on why its result may differ."""

    command: tuple[str, ...]
    notes: tuple[str, ...] = ()


def reproduce(ws: Workspace, into: Path | None = None) -> list[Step]:
    """The commands that make the rows, models and results of ``ws`` again, in order.

    Parameters
    ----------
    into : Path, optional
        Workspace folder in the commands; default: the path of ``ws``.

    Raises
    ------
    WorkspaceError
        If no run is recorded: the workspace is empty, or was made by an early version.
    """
    if not ws.runs:
        raise WorkspaceError(f"{ws.path} has no record of its runs; make it again with: phrasebox import SOURCE")
    target = into or ws.path
    steps: list[Step] = []
    trained: set[str] = set()
    regions: Run | None = None
    for run in ws.runs:
        options, notes = _OPTIONS.get(run.stage, _as_given)(run, target)
        if run.stage == "import":
            notes += _lost_source(run, ws.path)
        if run.stage == REGIONS:
            if regions and _vectors(run) != _vectors(regions):
                options.append("--fresh")
            regions = run
        notes += _lost_model(run, ws.models_in(run.settings), trained)
        notes += _other_start(run)
        if not run.finished:
            notes.append("this run was stopped before its end; the command completes it")
        if differing := _other_versions(run):
            notes.append(f"made with {differing}")
        trained.add(run.makes)
        processes = run.arguments.get("processes", 1)
        launcher = ["torchrun", "--nproc-per-node", str(processes), "-m"] if processes > 1 else []
        options = [_moved(word, ws.path, target) for word in options]
        words = [*launcher, "phrasebox", run.stage, *_source(run), str(target), *_out(run, target), *options]
        if (device := run.arguments.get("device", "cpu")) != "cpu":
            words += ["--device", device]
        if run.seed:
            words += ["--seed", str(run.seed)]
        step = Step(tuple(words), tuple(notes))
        if not steps or steps[-1] != step:
            steps.append(step)
    return steps


_Options = tuple[list[str], list[str]]


def _moved(word: str, ws: Path, target: Path) -> str:
    """Replace the workspace in a path inside it, such as that of a fine-tuned backbone, with the new workspace."""
    inside = next((start for start in (f"{ws}{os.sep}", f"{ws.absolute()}{os.sep}") if word.startswith(start)), "")
    return str(target / word.removeprefix(inside)) if inside else word


def _source(run: Run) -> list[str]:
    return [run.arguments["source"]] if "source" in run.arguments else []


def _out(run: Run, target: Path) -> list[str]:
    """What an export wrote; a path inside the workspace is inside the new one."""
    if "out" not in run.arguments:
        return []
    return [*(["--hub-folder"] if run.arguments.get("hub_folder") else []), str(target / run.arguments["out"])]


def _lost_source(run: Run, ws: Path) -> list[str]:
    source = Path(run.arguments["source"])
    if not source.exists():
        return [f"{source} no longer exists"]
    return [] if digest(source, without=ws) == run.settings.get("digest") else [f"{source} has changed since"]


def _vectors(run: Run) -> dict[str, Any]:
    """The settings that region vectors depend on; a run with other ones is refused without ``--fresh``."""
    return {name: value for name, value in run.settings.items() if name != "runtime"}


def _regions(run: Run, target: Path) -> _Options:
    """The options of the preset that needs the fewest further options."""
    made = dict(run.settings)
    if made["backbone"] == OWN_VECTORS:  # set by the stage, not by an option
        made = {name: value for name, value in made.items() if name not in ("backbone", "second", "second_size")}
    starts = []
    for preset in PRESET_NAMES:
        given = {} if preset == "modern" else {"preset": preset}
        if made["proposer"] != start_of("regions", preset)["proposer"]:
            given["proposer"] = made["proposer"]
        begun = values_of("regions", given)
        if made.get("backbone", begun["backbone"]) != begun["backbone"]:
            begun |= {"second": ""}
        starts.append((given, _differing(begun, made)))
    options, notes = _shortest(starts, made, "regions")
    views = run.arguments.get("views")
    return options + (["--views", str(views)] if views else []), notes


def _trained(run: Run, target: Path) -> _Options:
    """The options of a training, from the preset that needs the fewest further options."""
    made = {name: value for part in run.settings.values() for name, value in part.items()}
    made |= {name: run.arguments[name] for name in COMPUTED if name in run.arguments}
    gone = removed(made)
    made = {name: value for name, value in made.items() if name not in gone}
    starts = []
    for preset in PRESET_NAMES:
        given = {} if preset == "modern" else {"preset": preset}
        starts.append((given, _differing(start_of(run.stage, preset), made)))
    options, notes = _shortest(starts, made, run.stage)
    if blocks := run.arguments.get("finetune"):
        options += ["--finetune", str(blocks)]
    if run.arguments.get("no_val"):
        options.append("--no-val")
    if run.stage in ("align", "caption"):
        options += ["--start", _model_in(target, run.arguments.get("start", NOTHING))]
    name = run.arguments["name"]
    notes += [f"{name}={value!r} was removed; this version cannot train that model" for name, value in gone.items()]
    return options + ([] if name == _NAMES[run.stage] else ["--name", name]), notes


def _shortest(starts: Sequence[tuple[Mapping[str, str], list[str]]], made: Mapping[str, Any], stage: str) -> _Options:
    given, differing = min(starts, key=lambda each: 2 * len(each[0]) + 2 * len(each[1]))
    begun = [word for name, value in given.items() for word in (f"--{name}", value)]
    known = option_names(*TABLES[stage])
    options, notes = _options({name: made[name] for name in differing}, known)
    derived = {one.name for cls in TABLES[stage] for one in fields(cls)}
    notes += [f"{name}={made[name]!r} is not a setting of this version" for name in made if name not in derived]
    return begun + options, notes


def _as_given(run: Run, target: Path) -> _Options:
    options = _given(run)
    for kind, default in (("model", NAME), ("captioner", CAPTIONER)):
        model = run.arguments.get(kind) or ""
        if model not in ("", f"models/{default}"):
            options[kind] = _model_in(target, model)
    return _options(options, options.keys())


def _model_in(target: Path, model: str) -> str:
    """A recorded model as an option: one inside the workspace is inside the new one."""
    return str(target / model) if model.startswith("models/") else model


def _given(run: Run) -> dict[str, Any]:
    """The options that were given, without those that are handled for every step."""
    own = ("source", "out", "hub_folder", "model", "captioner", "device", "processes")
    return {k: v for k, v in run.arguments.items() if k not in own and not (v is None or v is False or v == [])}


def _grounded(run: Run, target: Path) -> _Options:
    """As given; the phrases of versions without the option ``--verbs`` kept verbs."""
    options, notes = _as_given(run, target)
    return options + ([] if "verbs" in run.arguments else ["--verbs"]), notes


_OPTIONS: Mapping[str, Callable[[Run, Path], _Options]] = {
    "ground": _grounded,
    "propose": _trained,
    "regions": _regions,
    "align": _trained,
    "caption": _trained,
}


def _differing(start: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    return [name for name in start if name in made and made[name] != start[name]]


def _options(values: Mapping[str, Any], known: Collection[str]) -> _Options:
    """The options that set these values, and a note for every value that no option sets."""
    words: list[str] = []
    notes: list[str] = []
    for name, value in values.items():
        if name not in known or value is None:
            notes.append(f"{name}={value!r} was set from Python; no option sets it")
            continue
        option = f"--{'no-' * (value is False)}{name.replace('_', '-')}"
        words += [option] if isinstance(value, bool) else [w for one in _each(value) for w in (option, str(one))]
    return words, notes


def _each(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _lost_model(run: Run, backbones: set[str], trained: set[str]) -> list[str]:
    used = [*(run.arguments.get(kind) or "" for kind in ("model", "captioner", "start")), *sorted(backbones)]
    unsaved = ["it was run from Python with an unsaved model"] if run.arguments.get("model") == "" else []
    return unsaved + [
        f"its {model} no longer exists, or was trained again since"
        for model in used
        if model.startswith("models/") and model not in trained
    ]


def _other_start(run: Run) -> list[str]:
    """A note if the model that a training started from has other weights now; hub models are not fetched for it."""
    source, known = run.arguments.get("start", ""), run.arguments.get("start_id", "")
    built_in = BUILT_IN_CAPTIONER if run.stage == "caption" else BUILT_IN
    folder = built_in if source == BUILT_IN_NAME else Path(source)
    if not known or source.startswith("models/") or not (source == BUILT_IN_NAME or folder.is_absolute()):
        return []
    if not folder.is_dir():
        return [f"{source}, from which it was trained, no longer exists"]
    same = stored_id(model_folder(source, built_in)) == known
    return [] if same else [f"{source}, from which it was trained, has changed since"]


def _other_versions(run: Run) -> str:
    """Recorded package versions that differ from the installed ones, such as `torch 2.6 (here 2.7)`."""
    there, here = run.versions, versions()
    return ", ".join(
        f"{name} {there.get(name, 'missing')} (here {here.get(name, 'missing')})"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    )

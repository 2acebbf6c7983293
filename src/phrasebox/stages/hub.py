"""Write a folder for the Hugging Face hub: a data set of pairs and the model, each with a card.

``README.md`` is the data set's card, ``data/<split>-<number>.parquet`` holds pairs and images, ``model/`` the aligner.
`datasets.load_dataset` and `Aligner.from_pretrained` both open the folder, on disk or on the hub.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phrasebox.aligner import Aligner
from phrasebox.aligner.stored import BUILT_IN
from phrasebox.errors import WorkspaceError
from phrasebox.formats import Written, write_target
from phrasebox.io.atomic import replacing_folder
from phrasebox.io.model_folder import CARD, MODEL, model_id
from phrasebox.models.cards import dataset_card, model_card, named_versions
from phrasebox.models.saved_model import BUILT_IN_NAME
from phrasebox.regions.backbones.finetuned import shown
from phrasebox.stages.export import grounded_records, note_export
from phrasebox.stages.ground import named_model
from phrasebox.stages.origin import origin
from phrasebox.stages.usable_pictures import UsablePictures
from phrasebox.types import SPLITS, GroundedImage, Skipped
from phrasebox.workspace.run_log import versions
from phrasebox.workspace.workspace import Workspace

HUB_SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Split of a workspace -> its name on the hub."""
_IMAGES = 2000  # number of images per file


@dataclass(frozen=True, slots=True)
class Published:
    """Contents of a folder for the hub.

    Numbers of captions, phrases and files; whether the card has measurements; and images that are left out, because
    their files are gone or changed.
    """

    captions: int
    phrases: int
    files: int
    figures: bool
    left_out: tuple[Skipped, ...] = ()


def write_hub_folder(
    ws: Workspace, aligner: Aligner, out: Path, min_confidence: float = 0.0, parts_only: bool = False
) -> Published:
    """Write the data set, its card and the model; ``out`` appears only when it is complete.

    Parameters
    ----------
    aligner : Aligner
        The model that grounded the workspace.
    out : Path
        A new or empty folder.
    min_confidence, parts_only
        As for `phrasebox.stages.export`.

    Raises
    ------
    WorkspaceError
        If nothing has been grounded, or with another model.
    DataError
        If ``out`` cannot be written.
    """
    with replacing_folder(out) as part:
        published = fill_hub_folder(ws, aligner, part, min_confidence, parts_only)
    asked = {"min_confidence": min_confidence or None, "parts_only": parts_only, "model": named_model(ws, aligner)}
    note_export(ws, out, {"hub_folder": True, **asked})
    return published


def fill_hub_folder(
    ws: Workspace, aligner: Aligner, folder: Path, min_confidence: float = 0.0, parts_only: bool = False
) -> Published:
    """Write the files of `write_hub_folder` into a folder; errors as there."""
    if not ws.count("phrases"):
        raise WorkspaceError(f"{ws.path} has no phrases yet; run: phrasebox ground {ws.path}")
    if ws.stages.get("ground", {}).get("model") != model_id(aligner.model):
        raise WorkspaceError(
            f"the phrases of {ws.path} were made by another model; give it with --model, or run: "
            f"phrasebox ground {ws.path} --fresh"
        )
    figures = measured(ws, aligner)
    (folder / "data").mkdir(parents=True)
    pictures = UsablePictures(ws)
    records = grounded_records(ws, min_confidence=min_confidence, parts_only=parts_only, pictures=pictures)
    counts = _write_data(records, folder / "data")
    (folder / CARD).write_text(_dataset_card(ws, aligner, counts, figures), encoding="utf-8")
    aligner.save(folder / MODEL, _model_card(aligner, figures))
    parts = [one for written in counts.values() for one in written]
    left_out = (*pictures.left_out, *(item for w in parts for item in w.left_out))
    captions, phrases = sum(w.captions for w in parts), sum(w.phrases for w in parts)
    return Published(captions, phrases, len(parts), bool(figures), left_out)


def _write_data(records: Iterable[GroundedImage], folder: Path) -> dict[str, list[Written]]:
    """Write parquet files of at most ``_IMAGES`` images; returns split -> what each of its files holds."""
    written: dict[str, list[Written]] = {split: [] for split in SPLITS}
    waiting: dict[str, list[GroundedImage]] = {split: [] for split in SPLITS}

    def write(split: str) -> None:
        name = f"{HUB_SPLITS[split]}-{len(written[split]):05d}.parquet"
        written[split].append(write_target(folder / name, waiting[split], "parquet"))
        waiting[split] = []

    for record in records:
        waiting[record.split].append(record)
        if len(waiting[record.split]) == _IMAGES:
            write(record.split)
    for split in SPLITS:
        if waiting[split]:
            write(split)
    return {split: parts for split, parts in written.items() if parts}


def measured(ws: Workspace, aligner: Aligner) -> str:
    """The tables in ``results/`` that `evaluate` wrote for this model, as Markdown."""
    now = model_id(aligner.model)
    found = []
    for run in ws.runs:
        if run.stage == "evaluate" and run.settings.get("model") == now and (ws.path / run.makes).is_file():
            found += json.loads((ws.path / run.makes).read_text(encoding="utf-8"))
    return "\n\n".join(map(_markdown, found))


def _markdown(table: Mapping[str, Any]) -> str:
    seeds = ", ".join(map(str, table["seeds"]))
    lines = [f"**{table['protocol']} · split {table['split']} · seed {seeds}**", ""]
    if table["rows"]:
        names = list(table["rows"][0])
        lines += [_line(names), _line(["---"] * len(names))]
        lines += [_line([_cell(row.get(name)) for name in names]) for row in table["rows"]]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: Any) -> str:
    if value is None:
        return "n/a"
    return f"{value:.1f}" if isinstance(value, float) else str(value).replace("|", "\\|")


def _model_card(aligner: Aligner, figures: str) -> str:
    if aligner.source == BUILT_IN_NAME:
        return (BUILT_IN / CARD).read_text(encoding="utf-8")
    return model_card(aligner.config, figures)


def _dataset_card(ws: Workspace, aligner: Aligner, counts: Mapping[str, list[Written]], figures: str) -> str:
    """The data set's card: splits, columns, how it was made, and measurements."""
    data, licence = origin(ws)
    names = [HUB_SPLITS[split] for split in counts]
    return dataset_card(
        ws.path.absolute().name,
        licence,
        [{"split": name, "path": f"data/{name}-*.parquet"} for name in names],
        captions=_some_captions(ws),
        splits=[
            (name, sum(w.captions for w in parts), sum(w.phrases for w in parts))
            for name, parts in zip(names, counts.values(), strict=True)
        ],
        reviewed=ws.count("reviewed"),
        decided=len(ws.decisions.standing()),
        data=data,
        regions=aligner.region_settings,
        backbone=shown(aligner.region_settings.backbone),
        beta=ws.stages["ground"]["beta"],
        model=model_id(aligner.model),
        versions=named_versions(_made_with(ws)),
        figures=figures,
    )


def _some_captions(ws: Workspace) -> list[str]:
    """Captions of the first images, to tell their language by."""
    return [caption for row in next(ws.images(), []) for caption in row.captions]


def _made_with(ws: Workspace) -> dict[str, str]:
    """Package versions recorded when the phrases were made."""
    return next((run.versions for run in reversed(ws.runs) if run.stage == "ground"), versions())

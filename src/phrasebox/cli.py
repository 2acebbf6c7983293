"""The command table; every command is a few lines over the library."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from phrasebox.errors import DataError, PhraseboxError, SettingsError

if TYPE_CHECKING:
    from phrasebox.types import Grounding
    from phrasebox.workspace import Workspace

app = App(
    name="phrasebox",
    help="Learn which words of a caption describe which part of an image, from captions alone.",
    version_flags=["--version"],
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,  # `main` says how to go on
)

Preset = Literal["modern", "paper"]
Split = Literal["train", "val", "test"]
WorkspacePath = Annotated[Path, Parameter(help="The workspace folder.")]
_PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


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


_COMMON = Common()


@app.command(name="import")
def import_(
    source: Path,
    ws: Path,
    /,
    *,
    format: str = "auto",
    images: Path | None = None,
    split: Split | None = None,
    split_list: list[Path] | None = None,
    common: Common = _COMMON,
) -> None:
    """Read captioned images into a workspace; run it again to add more.

    Parameters
    ----------
    source
        A Karpathy JSON, a Flickr8k token file, a folder of pictures, or Flickr30k Entities (folder or zip, as ground
        truth to measure with).
    ws
        The workspace folder, made if it is not there.
    format
        karpathy, flickr-token, folder, entities; found out by itself otherwise.
    images
        Folder of the pictures, if it is not beside the source.
    split
        Put all images into train, val or test.
    split_list
        Files that list the images of a split, one name a line.
    """
    from phrasebox.jobs import import_source
    from phrasebox.workspace import Workspace

    if not source.exists():
        raise DataError(f"{source} does not exist; give a file or folder of captioned images")
    new = not ws.exists()
    workspace = Workspace.create(ws)
    try:
        with workspace.lock():
            found = import_source(
                workspace, source, format, images, split_list or [], split, common.workers, common.quiet or common.json
            )
    except (PhraseboxError, OSError):
        if new:  # half an import would pass for a whole one
            import shutil

            shutil.rmtree(ws)
        raise
    _say(
        common,
        asdict(found),
        f"{found.images} images with {found.captions} captions imported"
        + (f", {found.truth} with ground truth" if found.truth else "")
        + (f", {found.present} images were there already" if found.present else ""),
        *_skipped(workspace, "import"),
    )


@app.command
def regions(
    ws: WorkspacePath,
    /,
    *,
    preset: Preset = "modern",
    proposer: str | None = None,
    count: int | None = None,
    density: int | None = None,
    backbone: str | None = None,
    size: int | None = None,
    pooling: Literal["roi", "crops"] | None = None,
    nms: float | None = None,
    rank: Literal["classifier", "proposer"] | None = None,
    engine: Literal["auto", "openvino", "torch"] | None = None,
    fresh: bool = False,
    common: Common = _COMMON,
) -> None:
    """Find boxes in every image and make their vectors.

    Parameters
    ----------
    preset
        modern, or paper: selective search, the 19 best boxes and the whole image.
    proposer
        selective_search, grid, or given (your own boxes); not the preset's, it starts from its own defaults.
    count
        Regions kept an image, the whole image included.
    density
        Boxes of the grid.
    backbone
        efficientnet-lite0, -lite1, -lite2, or timm:MODEL.
    size
        Side in pixels to which the image is squashed for the backbone.
    pooling
        roi pools boxes from one map; crops runs the backbone on every box.
    nms
        Largest overlap (IoU) of two boxes that are kept.
    rank
        What makes a box better: the backbone's classifier, or the proposer.
    engine
        What runs the backbone.
    fresh
        Make them anew with other settings.
    """
    from phrasebox.features import REGION_PRESETS, RegionSettings
    from phrasebox.jobs import make_regions
    from phrasebox.jobs.regions import STAGE

    given = {"proposer": proposer, "regions": count, "density": density, "backbone": backbone, "size": size,
             "pooling": pooling, "nms": nms, "rank": rank, "engine": engine}  # fmt: skip
    chosen = REGION_PRESETS[preset]
    if proposer not in (None, chosen.proposer):
        chosen = RegionSettings(proposer)  # type: ignore[arg-type]
    settings = _override(chosen, given)
    workspace = _open(ws)
    with workspace.lock():
        counts = make_regions(workspace, settings, _device(common), common.workers, fresh, common.quiet or common.json)
    total = workspace.count("regions")
    _say(
        common,
        {
            "images": total,
            "new": counts.done,
            "skipped": len(workspace.skipped("regions")),
            "settings": asdict(settings),
        },
        f"{total} images have regions, {counts.done} of them new",
        *_skipped(workspace, STAGE),
    )


@app.command
def align(
    ws: WorkspacePath,
    /,
    *,
    preset: Preset = "modern",
    epochs: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    objective: Literal["infonce", "margin-sum", "margin-hardest", "margin-annealed"] | None = None,
    encoder: Literal["mlp", "brnn", "lstm", "gru"] | None = None,
    dim: int | None = None,
    patience: int | None = None,
    name: str = "aligner",
    fresh: bool = False,
    common: Common = _COMMON,
) -> None:
    """Train an aligner on the workspace's train split, watching its val split; goes on where it was stopped.

    Parameters
    ----------
    preset
        modern, or paper: BRNN, dot products, sum of margins, SGD.
    epochs
        Passes over all captions.
    batch
        Images a step.
    lr
        Largest learning rate.
    objective
        The loss.
    encoder
        What reads the sentence.
    dim
        Width of the common space.
    patience
        Epochs without a better one before it stops; 0 never stops early.
    name
        Folder of the model inside the workspace's models.
    fresh
        Start anew instead of going on.
    """
    from phrasebox.aligner import PRESETS, Epoch
    from phrasebox.jobs import align as job
    from phrasebox.jobs import epoch_json

    def report(epoch: Epoch) -> None:
        if not (common.quiet or common.json):
            line = f"epoch {epoch.epoch + 1}: loss {epoch.loss:.3f}, {epoch.seconds:.0f} s"
            if epoch.recall == epoch.recall:  # NaN without a validation split
                recall = " ".join(f"{r:.1f}" for r in (*epoch.image_to_sentence, *epoch.sentence_to_image))
                line += f", val R@1/5/10 both ways {recall}"
            print(line, epoch.warning, file=sys.stderr, flush=True)

    chosen = PRESETS[preset]
    workspace = _open(ws)
    with workspace.lock():
        done = job(
            workspace,
            _override(chosen.model, {"encoder": encoder, "dim": dim}),
            _override(
                chosen.train,
                {"epochs": epochs, "batch": batch, "lr": lr, "objective": objective, "patience": patience,
                 "seed": common.seed},
            ),
            name,
            _device(common),
            fresh,
            common.quiet or common.json,
            report,
        )  # fmt: skip
    _say(
        common,
        {
            "model": str(done.folder),
            "epochs": done.epochs,
            "new_epochs": done.new,
            "beta": done.beta,
            "best": epoch_json(done.best),
        },
        f"{done.folder}: best of {done.epochs} epochs ({done.new} of them new) is {done.best.epoch + 1}, "
        f"beta {done.beta:g}",
    )


@app.command
def ground(
    ws: WorkspacePath,
    /,
    *,
    model: str | None = None,
    beta: float | None = None,
    fresh: bool = False,
    common: Common = _COMMON,
) -> None:
    """Decode which words of every caption describe which region.

    Parameters
    ----------
    model
        A model's folder or hub id; the workspace's own otherwise, or the built-in one.
    beta
        Chain strength; the model's own otherwise.
    fresh
        Decode anew with another model or beta.
    """
    from phrasebox.jobs import ground as job
    from phrasebox.jobs import workspace_aligner

    workspace = _open(ws)
    with workspace.lock():
        aligner = workspace_aligner(workspace, model, _device(common), common.workers)
        counts = job(workspace, aligner, beta, fresh, common.quiet or common.json)
    grounded, pairs = workspace.keys("phrases"), workspace.count("phrases")
    captions = sum(len(row.captions) for batch in workspace.images(keys=grounded) for row in batch)
    _say(
        common,
        {"images": len(grounded), "captions": captions, "pairs": pairs, "new_images": counts.done},
        f"{captions} captions of {len(grounded)} images became {pairs} region-phrase pairs, "
        f"{counts.done} images of them new",
    )


@app.command
def evaluate(ws: WorkspacePath, /, *, split: Split = "val", model: str | None = None, common: Common = _COMMON) -> None:
    """Measure retrieval and, with ground truth, grounding and segmentation.

    Parameters
    ----------
    split
        train, val or test.
    model
        A model's folder or hub id; the workspace's own otherwise, or the built-in one.
    """
    from rich.console import Console

    from phrasebox.jobs import evaluate as job
    from phrasebox.jobs import workspace_aligner

    workspace = _open(ws)
    aligner = workspace_aligner(workspace, model, _device(common), common.workers)
    seed = aligner.about.get("training", {}).get("seed", common.seed)
    tables = job(workspace, aligner, split, seed, common.quiet or common.json)
    if common.json:
        print(json.dumps([table.to_json() for table in tables]))
        return
    if not common.quiet:
        for table in tables:
            Console().print(table.to_rich())


@app.command
def export(
    ws: WorkspacePath,
    out: Path,
    /,
    *,
    format: Literal["odvg", "coco-grounding", "parquet"],
    split: Split | None = None,
    min_confidence: float = 0.0,
    parts_only: bool = False,
    common: Common = _COMMON,
) -> None:
    """Write the region-phrase pairs for others.

    Parameters
    ----------
    out
        The file to write.
    format
        odvg (MM-Grounding-DINO JSONL), coco-grounding (MDETR), or parquet (Hugging Face datasets).
    split
        Only this split.
    min_confidence
        Leave out phrases below it.
    parts_only
        Leave out phrases about the whole image.
    """
    from phrasebox.jobs import export as job

    _check_target(out)
    written = job(_open(ws), out, format, split, min_confidence, parts_only)
    _say(
        common,
        {"file": str(out), **asdict(written)},
        f"{out}: {written.phrases} phrases of {written.captions} captions",
    )


@app.command
def gallery(
    ws: WorkspacePath,
    out: Path,
    /,
    *,
    images: int = 24,
    split: Split | None = None,
    model: str | None = None,
    common: Common = _COMMON,
) -> None:
    """Draw images, coloured sentences, boxes and score matrices into one HTML file.

    Parameters
    ----------
    out
        The file to write.
    images
        How many.
    split
        Of this split.
    model
        A model's folder or hub id.
    """
    from phrasebox.jobs import gallery_of, workspace_aligner

    _check_target(out)
    workspace = _open(ws)
    aligner = workspace_aligner(workspace, model, _device(common), common.workers)
    shown = gallery_of(workspace, aligner, out, images, split)
    _say(common, {"file": str(out), "images": shown}, f"{out}: {shown} images")


@app.command
def point(
    image: Path,
    sentence: str,
    /,
    *,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    model: str | None = None,
    beta: float | None = None,
    common: Common = _COMMON,
) -> None:
    """Show which words of a sentence describe which part of a picture.

    Parameters
    ----------
    image
        The picture's file.
    sentence
        What it shows, in your words.
    out
        Draw the boxes and phrases into this picture (png, jpg or webp).
    model
        A model's folder or hub id; the built-in one otherwise.
    beta
        Chain strength; larger makes longer phrases.
    """
    from phrasebox.aligner import Aligner
    from phrasebox.formats.writing import replacing
    from phrasebox.images import load_image
    from phrasebox.show import draw_grounding

    if out is not None:
        _check_target(out)
        if out.suffix.lower() not in _PICTURES:
            raise SettingsError(f"{out}: pictures are written as {', '.join(_PICTURES)}; give it such a name")
    pixels = load_image(image)
    found = Aligner.load(model, _device(common), common.workers).ground(pixels, sentence, beta)
    if out is not None:
        with replacing(out) as part:
            draw_grounding(pixels, found).save(part, _PICTURES[out.suffix.lower()])
    if common.json:
        print(json.dumps({"image": str(image), **grounding_json(found)}, ensure_ascii=False))
        return
    if common.quiet:
        return
    _table(f"score of the pair {found.score:.3f}", [(image.name, phrase) for phrase in found.phrases])
    if out is not None:
        print(out)


@app.command
def run(
    source: Path,
    ws: Path,
    /,
    *,
    format: str = "auto",
    images: Path | None = None,
    train: bool = False,
    out: Path | None = None,
    common: Common = _COMMON,
) -> None:
    """Import, make regions, ground and export in one go; stopped, it goes on where it was.

    Parameters
    ----------
    source
        As for import.
    ws
        The workspace folder, made if it is not there.
    format
        As for import.
    images
        As for import.
    train
        Train an aligner on these images first, instead of using the built-in one.
    out
        Folder of the exported files; the workspace's own `out` otherwise.
    """
    from phrasebox.jobs import gallery_of, workspace_aligner
    from phrasebox.workspace import Workspace

    folder = out or ws / "out"
    _check_target(folder / "gallery.html")
    inner = replace(common, json=False, quiet=common.quiet or common.json)
    import_(source, ws, format=format, images=images, common=inner)
    regions(ws, common=inner)
    if train:
        align(ws, common=inner)
    ground(ws, common=inner)
    files = {"odvg": "odvg.jsonl", "coco-grounding": "coco.json", "parquet": "pairs.parquet"}
    for kind, name in files.items():
        export(ws, folder / name, format=kind, common=inner)  # type: ignore[arg-type]
    workspace = Workspace(ws)
    gallery_of(workspace, workspace_aligner(workspace, None, _device(common), common.workers), folder / "gallery.html")
    paths = [str(folder / name) for name in ("gallery.html", *files.values())]
    if common.json:
        print(json.dumps({"pairs": workspace.count("phrases"), "files": paths}))
    elif not common.quiet:
        print("\n".join(paths))


@app.command
def demo(ws: Path = Path("demo"), /, *, common: Common = _COMMON) -> None:
    """Run the main job on the built-in sample and show what came out.

    Parameters
    ----------
    ws
        The workspace folder to make.
    """
    from phrasebox import sample
    from phrasebox.workspace import Workspace

    photographs = sample.images_folder()
    captions = sample.write_captions(Workspace.create(ws).path / "sample.json")
    run(captions, ws, format="karpathy", images=photographs, common=replace(common, json=False, quiet=True))
    workspace = Workspace(ws)
    rows = [
        (image.key, phrase)
        for image in workspace.grounded()
        for caption in image.captions
        for phrase in caption.phrases
    ]
    files = sorted(str(path) for path in (ws / "out").iterdir())
    if common.json:
        print(json.dumps({"phrases": [{"image": k, **_phrase_json(p)} for k, p in rows], "files": files}))
        return
    if common.quiet:
        return
    _table(f"{len(rows)} region-phrase pairs from {workspace.count('images')} photographs", rows)
    print("Look at them:", ws / "out" / "gallery.html")
    print("Exported:", *(f for f in files if not f.endswith(".html")))


def grounding_json(found: Grounding) -> dict[str, Any]:
    """A grounding as plain values."""
    return {
        "caption": found.caption,
        "score": found.score,
        "beta": found.beta,
        "width": found.regions.width,
        "height": found.regions.height,
        "phrases": [_phrase_json(p) for p in found.phrases],
    }


def _phrase_json(phrase: Any) -> dict[str, Any]:
    return {
        "text": phrase.text,
        "span": list(phrase.span),
        "box": [round(x, 2) for x in phrase.box],
        "score": phrase.score,
        "confidence": phrase.confidence,
        "whole_image": phrase.whole_image,
    }


def _table(title: str, rows: Sequence[tuple[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title)
    table.add_column("image")
    table.add_column("phrase", overflow="fold")
    for name in ("box x1 y1 x2 y2", "score", "confidence"):
        table.add_column(name, justify="right")
    before = None
    for name, phrase in rows:
        box = "whole image" if phrase.whole_image else " ".join(f"{x:.0f}" for x in phrase.box)
        table.add_row(
            Text(name if name != before else ""),
            Text(phrase.text),
            box,
            f"{phrase.score:.2f}",
            f"{phrase.confidence:.2f}",
        )
        before = name
    Console().print(table)


def _open(path: Path) -> Workspace:
    from phrasebox.workspace import Workspace

    return Workspace(path)


def _override(settings: Any, given: Mapping[str, Any]) -> Any:
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def _skipped(ws: Workspace, stage: str) -> list[str]:
    """What a stage left out, the first few with their reasons."""
    left_out = ws.skipped(stage)
    lines = [f"  {item.key}: {item.reason}" for item in left_out[:5]]
    more = [f"  and {len(left_out) - 5} more"] if len(left_out) > 5 else []
    return [f"{len(left_out)} left out:", *lines, *more] if left_out else []


def _say(common: Common, result: Mapping[str, Any], *lines: str) -> None:
    if common.json:
        print(json.dumps(result, ensure_ascii=False))
    elif not common.quiet:
        print("\n".join(lines))


def _check_target(out: Path) -> None:
    """Say before any work is done that a file cannot be written there."""
    if out.is_dir():
        raise DataError(f"{out} is a folder; give the name of a file to write")
    for parent in out.parents:
        if parent.exists() and not parent.is_dir():
            raise DataError(f"{parent} is a file, so {out} cannot be written; name another folder")


def _device(common: Common) -> str:
    """The device asked for, if the machine has it."""
    if common.device != "cpu":
        import torch

        try:
            torch.zeros(1, device=common.device)
        except (RuntimeError, AssertionError, NotImplementedError):  # what torch raises, by kind of device
            raise SettingsError(f"this machine has no device {common.device!r}; use --device cpu") from None
    return common.device


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: errors a user can cause are one line on standard error, and exit code 1, or 2 for the usage."""
    try:
        app(arguments, result_action="return_value", print_error=False, exit_on_error=False)
    except CycloptsError as error:
        print(f"phrasebox: {_one_line(error).removesuffix('.')}; see --help", file=sys.stderr)
        sys.exit(2)
    except PhraseboxError as error:
        print(f"phrasebox: {_one_line(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("phrasebox: stopped; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"phrasebox: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)

"""The pictures of the Learn pages, drawn by the library from scikit-image's photographs, for light and dark pages."""

from __future__ import annotations

import doctest
import io
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from phrasebox import Aligner, Captioner, Grounding
from phrasebox.grounding import decode, segments
from phrasebox.io.colours import colour
from phrasebox.io.images import load_image
from phrasebox.io.sample import CAPTIONS, images_folder
from phrasebox.regions.backbones import load_backbone
from phrasebox.regions.proposers import SelectiveSearch
from phrasebox.regions.roi_align import cell_weights
from phrasebox.regions.settings import REGION_PRESETS
from phrasebox.types import Box

SCHEMES = {"light": "#20242a", "dark": "#e3e6ec"}  # the colour of what is written
WIDTH = 9.0  # inches
LEARN = Path(__file__).parent.parent / "learn"


@cache
def aligner() -> Aligner:
    """The built-in aligner."""
    return Aligner.load()


@cache
def photograph(name: str) -> np.ndarray:
    """A photograph of the sample."""
    return load_image(images_folder() / name)


@cache
def grounded(name: str, sentence: int) -> Grounding:
    """A sentence of the sample grounded in its photograph."""
    return aligner().ground(photograph(name), CAPTIONS[name][sentence].removesuffix(" ."))


@cache
def session(page: str) -> dict[str, Any]:
    """The variables that the examples of a page define."""
    examples = doctest.DocTestParser().get_examples((LEARN / f"{page}.md").read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example.source, page, "exec"), names)
    return names


def regions(figure: Figure, ink: str) -> None:
    """All proposals, and the regions that are kept."""
    image = photograph("coffee.png")
    proposed = SelectiveSearch(short_side=REGION_PRESETS["modern"].short_side).propose(image).boxes
    kept = aligner().regions(image).boxes[1:13]
    for axes, boxes, fixed in zip(figure.subplots(1, 2), (proposed, kept), (colour(1).fill, None), strict=True):
        _photograph(axes, image)
        for i, box in enumerate(boxes):
            _box(axes, Box(*box.tolist()), fixed or colour(i).fill, 0.6 if fixed else 1.8)
        axes.set_title(f"{len(boxes)} proposed" if fixed else "the best 12 by objectness", color=ink)


def vectors(figure: Figure, ink: str) -> None:
    """A box, its RoI-align weights, and the feature map's first three principal components as colours."""
    image = photograph("chelsea.png")
    box = grounded("chelsea.png", 0).phrases[0].box
    height, width = image.shape[:2]
    settings = REGION_PRESETS["modern"]
    backbone = load_backbone(settings.backbone, input_size=settings.size)
    maps = backbone.maps(_squashed(image, backbone.input_size)[None])[0].float().cpu().numpy()  # (D, h, w)
    across, down = maps.shape[2], maps.shape[1]
    share = np.array([[box.x1 / width, box.y1 / height, box.x2 / width, box.y2 / height]])
    weights = cell_weights(share, settings.bins, down, across).numpy().reshape(down, across)
    left, middle, right = figure.subplots(1, 3)
    _photograph(left, image)
    _box(left, box, colour(0).fill, 2.5)
    left.set_title("a box", color=ink)
    extent = (0, width, height, 0)
    _photograph(middle, image)
    middle.imshow(weights, cmap=_fade(colour(0).fill), extent=extent, vmin=0)
    _box(middle, box, colour(0).fill, 1.5)
    middle.set_title("its weights, RoI-align", color=ink)
    right.imshow(_false_colours(maps), extent=extent, interpolation="nearest")
    _box(right, box, ink, 2)
    right.set_title(f"the map, {across} x {down} cells of {len(maps)} numbers", color=ink)
    right.set_axis_off()


def score(figure: Figure, ink: str) -> None:
    """The score matrix with the best region of each word framed, and crops of the regions above."""
    found = grounded("astronaut.png", 0)
    image = photograph("astronaut.png")
    best = found.scores.argmax(1)
    others = [i for i in np.argsort(-found.scores.max(0)).tolist() if i not in best]
    shown = sorted({*best.tolist(), *others[:8]})
    table = found.scores[:, shown]
    crops, axes = figure.subplots(2, 1, height_ratios=[1, 5.2])
    _heat(axes, table, ink)
    axes.set_yticks(range(len(found.words)), [word.text for word in found.words])
    axes.set_xticks([])
    for t, i in enumerate(best):
        column = shown.index(i)
        axes.add_patch(Rectangle((column - 0.5, t - 0.5), 1, 1, fill=False, ec=colour(1).fill, lw=2))
        axes.text(column, t, f"{table[t, column]:.2f}", ha="center", va="center", fontsize=7.5, color=ink)
    crops.set(xlim=(-0.5, len(shown) - 0.5), ylim=(0, 1))
    crops.set_axis_off()
    for column, i in enumerate(shown):
        x1, y1, x2, y2 = found.regions.boxes[i].astype(int)
        inset = crops.inset_axes((column - 0.45, 0, 0.9, 1), transform=crops.transData)
        inset.imshow(image[y1:y2, x1:x2])
        inset.set_axis_off()


def loss(figure: Figure, ink: str) -> None:
    """Scores of the sample's photographs with its sentences."""
    names = list(CAPTIONS)
    sentences = [text.removesuffix(" .") for name in names for text in CAPTIONS[name]]
    scores = aligner().score([photograph(name) for name in names], sentences)
    owner = np.repeat(np.arange(len(names)), 2)
    axes = figure.subplots()
    _heat(axes, scores.T, ink)
    for row, k in enumerate(owner):
        axes.add_patch(Rectangle((k - 0.5, row - 0.5), 1, 1, fill=False, ec=colour(1).fill, lw=2))
        hardest = int(np.where(np.arange(len(names)) == k, -np.inf, scores[:, row]).argmax())
        axes.plot(hardest + 0.38, row - 0.3, marker="o", ms=4, color=colour(4).fill)
        for i in range(len(names)):
            axes.text(i, row, f"{scores[i, row]:.2f}", ha="center", va="center", fontsize=8.5, color=ink)
    axes.set_yticks(range(len(sentences)), [_short(text, 58) for text in sentences])
    axes.set_xticks(range(len(names)), [name.split(".")[0].split("_")[0] for name in names])
    axes.xaxis.tick_top()


def markov(figure: Figure, ink: str) -> None:
    """Segments of one sentence for growing beta."""
    found = grounded("astronaut.png", 0)
    betas = (0.0, 0.01, 0.05, 0.1)
    paths = [decode(found.scores, beta) for beta in betas]
    used = list(dict.fromkeys(int(i) for path in paths[::-1] for i in path))
    above, axes = figure.subplots(2, 1, height_ratios=[2.4, 1])
    _photograph(above, photograph("astronaut.png"))
    for i in used:
        _box(above, found.regions.box(i), colour(used.index(i)).fill, 2)
    for row, path in enumerate(paths):
        for first, last, i in segments(path):
            shade = colour(used.index(i))
            place = (first - 0.47, row - 0.4)
            axes.add_patch(Rectangle(place, last - first - 0.06, 0.8, color=shade.fill, lw=0))
            for t in range(first, last):
                text = found.words[t].text
                axes.text(t, row, text, ha="center", va="center", fontsize=8, color=shade.text)
    axes.set(xlim=(-0.5, len(found.words) - 0.5), ylim=(len(betas) - 0.5, -0.5))
    axes.set_yticks(range(len(betas)), [f"β = {beta:g}" for beta in betas])
    axes.set_xticks([])
    _plain(axes)


def enlarging(figure: Figure, ink: str) -> None:
    """The phrases of one sentence with their boxes."""
    found = grounded("motorcycle_left.png", 0)
    phrases = [(p.text, p.box, f"{p.score:.2f}  conf. {100 * p.confidence:.0f} %") for p in found.phrases]
    _captioned(figure, ink, photograph("motorcycle_left.png"), found.caption, phrases)


def describing(figure: Figure, ink: str) -> None:
    """Caption and region phrases of the built-in captioner."""
    image = photograph("motorcycle_left.png")
    found = Captioner.load().describe(image, regions=5)
    regions = [(r.text, r.box, f"{r.score:.2f}") for r in found.regions]
    _captioned(figure, ink, image, f"{found.caption}  {found.score:.2f}", regions)


def _captioned(
    figure: Figure, ink: str, image: np.ndarray, sentence: str, phrases: Sequence[tuple[str, Box, str]]
) -> None:
    """A photograph with boxes; beside it the sentence, and a line for each box with its text and numbers."""
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    _photograph(left, image)
    right.set(xlim=(0, 1), ylim=(max(len(phrases), 3) + 0.2, -1.6))
    right.set_axis_off()
    right.text(0, -1.1, _wrapped(sentence), va="center", color=ink, fontsize=10, style="italic")
    for i, (text, box, numbers) in enumerate(phrases):
        shade = colour(i)
        _box(left, box, shade.fill, 2.5)
        right.text(0.02, i + 0.35, text, va="center", color=shade.text, fontsize=10.5,
                   bbox={"fc": shade.fill, "lw": 0, "boxstyle": "round,pad=0.4"})  # fmt: skip
        right.text(0.98, i + 0.35, numbers, va="center", ha="right", color=ink, fontsize=9)


def generator(figure: Figure, ink: str) -> None:
    """Next-word probabilities of the page's small network, step by step."""
    names = session("generator")
    torch, memory_of, model = names["torch"], names["Memory"], names["model"]
    terms, rows = ("END", *names["vocabulary"].terms), [0, 3, 4, 5]
    for axes_row, image, noun in zip(figure.subplots(2, 3, sharey=True), ((1.0, 0.0), (0.0, 1.0)), (4, 5), strict=True):
        memory = memory_of(torch.tensor([image]))
        state = model.start(memory)
        for axes, word in zip(axes_row, (2, 3, noun), strict=True):
            y, state = model.step(memory, torch.tensor([word]), state)
            chances = y.softmax(-1)[0, rows].numpy()
            likeliest = int(chances.argmax())
            axes.bar(
                terms, chances, color=[colour(0).fill if i == likeliest else "#8a93a0" for i in range(4)], width=0.7
            )
            for i, chance in enumerate(chances):
                axes.text(i, chance + 0.03, f"{chance:.2f}", ha="center", color=ink, fontsize=8.5)
            axes.set(ylim=(0, 1), yticks=[])
            axes.set_title(f"after {'START' if word == 2 else terms[word - 2]}", color=ink, fontsize=10)
            _plain(axes)
        axes_row[0].set_ylabel(f"image of a {terms[noun - 2]}", color=ink)


PICTURES: dict[str, tuple[Callable[[Figure, str], None], float]] = {
    "regions": (regions, 3.4),
    "vectors": (vectors, 2.6),
    "score": (score, 5.4),
    "loss": (loss, 4.4),
    "markov": (markov, 5.2),
    "enlarging": (enlarging, 3.7),
    "generator": (generator, 3.8),
    "describing": (describing, 3.7),
}
"""Every picture's function and its height in inches."""


def draw(name: str) -> dict[str, bytes]:
    """WebP bytes by colour scheme; the same every time."""
    function, height = PICTURES[name]
    found = {}
    for scheme, ink in SCHEMES.items():
        with matplotlib.rc_context({"text.color": ink, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink,
                                    "axes.titlesize": 10, "font.size": 9.5, "axes.edgecolor": ink}):  # fmt: skip
            figure = Figure(figsize=(WIDTH, height), dpi=170, layout="constrained")
            FigureCanvasAgg(figure)
            figure.patch.set_alpha(0)
            function(figure, ink)
            out = io.BytesIO()
            figure.savefig(out, format="webp", transparent=True, pil_kwargs={"quality": 86, "method": 6})
            found[scheme] = out.getvalue()
    return found


def _photograph(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image)
    axes.set_axis_off()


def _box(axes: Axes, box: Box, edge: str, width: float) -> None:
    axes.add_patch(Rectangle((box.x1, box.y1), box.width, box.height, fill=False, ec=edge, lw=width))


def _plain(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _heat(axes: Axes, table: np.ndarray, ink: str) -> None:
    """The larger the bluer, from the smallest to the largest."""
    strong = (table - table.min()) / np.ptp(table)
    axes.imshow(strong, cmap=_fade(colour(5).fill), aspect="auto", vmin=0, vmax=1)
    _plain(axes)


def _fade(shade: str) -> LinearSegmentedColormap:
    """From nothing to the colour."""
    r, g, b = (int(shade[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return LinearSegmentedColormap.from_list("fade", [(r, g, b, 0.0), (r, g, b, 0.85)])


def _false_colours(maps: np.ndarray) -> np.ndarray:
    """The first three principal directions of the cells as red, green and blue: (h, w, 3) in [0, 1]."""
    dim, height, width = maps.shape
    cells = maps.reshape(dim, -1).T
    u, s, _ = np.linalg.svd(cells - cells.mean(0), full_matrices=False)
    found = u[:, :3] * s[:3]
    found *= np.sign(found[np.abs(found).argmax(0), range(3)])
    low, high = np.percentile(found, (2, 98), axis=0)
    return np.clip((found - low) / (high - low), 0, 1).reshape(height, width, 3)


def _squashed(image: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: text.rindex(" ", 0, length)] + " …"


def _wrapped(text: str) -> str:
    from textwrap import fill

    return fill(text, 34)

"""Captions per second with a beam of 5: a batch of 64 images compared with one image at a time, in turns.

    python benchmarks/generate.py [--model FOLDER] [--images 64] [--rounds 5]

``plain loop`` is a textbook beam search for one image: the sentences of its beam are one batch. It does not suppress
repeated phrases, so its sentences may differ; those of phrasebox must be equal in both ways.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from skimage import data

from phrasebox.captioner import Captioner, SpeechSettings
from phrasebox.captioner.decoders import select
from phrasebox.captioner.generate import generate
from phrasebox.captioner.model import CaptionerModel
from phrasebox.captioner.targets import Views
from phrasebox.text.vocabulary import END, START

BEAM, LONGEST = 5, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of a captioner; default: the built-in one")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    captioner = Captioner.load(given.model)
    model, repeatable = captioner.model, torch.from_numpy(captioner.vocabulary.repeatable())
    speech = SpeechSettings(beam=BEAM, max_length=LONGEST)
    views = photographs(captioner, given.images)
    ones = [views.rows(slice(i, i + 1)) for i in range(len(views))]
    contenders: dict[str, Callable[[], object]] = {
        f"phrasebox, {len(views)} images at once": lambda: generate(model, views, speech, repeatable),
        "phrasebox, one image at a time": lambda: [generate(model, one, speech, repeatable)[0] for one in ones],
        "plain loop, one image at a time": lambda: [plain(model, one) for one in ones],
    }
    together, apart = (list(contenders.values())[i]() for i in (0, 1))
    same = sum(a[0].words == b[0].words for a, b in zip(together, apart, strict=True))  # type: ignore[call-overload]
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(given.rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    slowest = median(seconds["plain loop, one image at a time"])
    title = (
        f"{len(views)} images, beam {BEAM}, {torch.get_num_threads()} threads; {same} sentences alike at once and apart"
    )
    table = Table(title=title)
    for column in ("", "captions a second", "times the plain loop"):
        table.add_column(column, justify="right" if column else "left")
    for name, took in seconds.items():
        table.add_row(name, f"{len(views) / median(took):.1f}", f"{slowest / median(took):.1f}")
    Console().print(table)


def photographs(captioner: Captioner, count: int) -> Views:
    """Crops of two photographs, all different."""
    rng = np.random.default_rng(0)
    pictures = []
    for i in range(count):
        picture = (data.astronaut(), data.chelsea())[i % 2]
        top, left = (int(rng.integers(0, side // 3)) for side in picture.shape[:2])
        pictures.append(picture[top : top + 200, left : left + 200])
    return captioner._wholes(captioner.regions_of(pictures))


@torch.inference_mode()
def plain(model: CaptionerModel, view: Views) -> list[int]:
    """The most probable sentence for an image."""
    memory = model.remember(view)
    state = model.start(memory.seated())
    beams: list[tuple[float, list[int]]] = [(0.0, [START])]
    finished: list[tuple[float, list[int]]] = []
    for _ in range(LONGEST + 1):
        last = torch.tensor([words[-1] for _, words in beams])
        logits, state = model.step(memory.seated(len(beams)), last, state)
        best, choice = logits.log_softmax(-1).topk(BEAM)
        grown = sorted(
            (total + score, row, word)
            for row, (total, _) in enumerate(beams)
            for score, word in zip(best[row].tolist(), choice[row].tolist(), strict=True)
        )[::-1][:BEAM]
        finished += [(total, beams[row][1]) for total, row, word in grown if word == END]
        going = [(total, row, word) for total, row, word in grown if word != END]
        if not going or len(finished) >= BEAM:
            break
        beams = [(total, [*beams[row][1], word]) for total, row, word in going]
        state = select(state, torch.tensor([row for _, row, _ in going]))
    return max(finished or beams, key=lambda each: each[0] / len(each[1]) ** 0.7)[1][1:]


if __name__ == "__main__":
    main()

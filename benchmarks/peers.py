"""Photographs per second on this machine: phrasebox and the alternatives, run in turns.

    python benchmarks/peers.py FOLDER_OF_IMAGES [--images 16] [--rounds 3] [--record]

The alternatives have random weights, which take as long as trained ones; quality is not measured. The R-CNN baseline is
selective search at its usual size and 20 crops through the same network in torch. CLIP reads 20 crops of selective
search. GroundingDINO and OWLv2 detect the five phrases of a caption in the whole photograph.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from phrasebox.io.images import load_image
from phrasebox.regions.extractor import RegionExtractor
from phrasebox.regions.proposers import SelectiveSearch
from phrasebox.regions.settings import REGION_PRESETS, RegionSettings
from recording import record

Run = Callable[[Sequence[np.ndarray]], object]
CROPS, TOKENS, PHRASES = 20, 24, 5
ABOUT = "Time alone, in one run and in turns; all peers have random weights, which cost the same time as trained ones."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="write the table to docs/results")
    given = parser.parse_args()
    files = sorted(f for f in given.folder.iterdir() if f.suffix.lower() in {".jpg", ".jpeg", ".png"})[: given.images]
    images = [load_image(file) for file in files]
    torch.manual_seed(0)
    peers: dict[str, Callable[[], Run]] = {
        "phrasebox regions, modern": lambda: RegionExtractor(REGION_PRESETS["modern"]),
        "phrasebox regions, paper": lambda: RegionExtractor(REGION_PRESETS["paper"]),
        "naive R-CNN: selective search, 20 crops, torch": naive,
        "CLIP ViT-B/32 over 20 crops": clip,
        "GroundingDINO-tiny": grounding_dino,
        "OWLv2-base": owl,
    }
    runs = {name: make() for name, make in peers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(images[:1])  # warm up
    for _ in range(given.rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            run(images)
            seconds[name].append((time.perf_counter() - started) / len(images))
    ours = median(next(iter(seconds.values())))
    title = f"{len(images)} photographs, median of {given.rounds} rounds, {torch.get_num_threads()} threads"
    rows = [
        {"": name, "seconds a photograph": median(took), "photographs a second": 1 / median(took),
         "times ours": median(took) / ours}
        for name, took in seconds.items()
    ]  # fmt: skip
    table = Table(title=title)
    for column in rows[0]:
        table.add_column(column, justify="right" if column else "left")
    for row in rows:
        name, took, rate, times = row.values()
        table.add_row(name, f"{took:.3f}", f"{rate:.2f}", f"{times:.1f}")
    Console().print(table)
    if given.record:
        command = (
            f"python benchmarks/peers.py FOLDER_OF_IMAGES --images {given.images} --rounds {given.rounds} --record"
        )
        record("peers", "What one would run instead", ABOUT, command, [{"title": title, "rows": rows}])


def naive() -> Run:
    """Selective search at 200 pixels, then a crop of every box through EfficientNet-Lite2 at 260 pixels in torch."""
    settings = RegionSettings(
        "selective_search", regions=CROPS, rank="proposer", pooling="crops", crop_size=260, short_side=200,
        runtime="torch",
    )  # fmt: skip
    extractor = RegionExtractor(settings)
    return lambda images: [extractor([image]) for image in images]


def crops(image: np.ndarray, side: int) -> torch.Tensor:
    """Crops of the largest boxes of selective search, scaled to one size: (20, 3, side, side)."""
    boxes = SelectiveSearch(short_side=200).propose(image).boxes[:CROPS].tolist()
    boxes += [[0, 0, image.shape[1], image.shape[0]]] * (CROPS - len(boxes))
    picture = Image.fromarray(image)
    cut = [np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box=tuple(box))) for box in boxes]
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float() / 255


def squashed(image: np.ndarray, width: int, height: int) -> torch.Tensor:
    """The photograph scaled to (1, 3, height, width)."""
    small = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    return torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255


def clip() -> Run:
    from transformers import CLIPConfig, CLIPModel

    net = CLIPModel(CLIPConfig()).eval()  # the defaults are ViT-B/32
    words = torch.randint(1, 1000, (PHRASES, TOKENS))

    def run(images: Sequence[np.ndarray]) -> None:
        with torch.inference_mode():
            for image in images:
                net(input_ids=words, pixel_values=crops(image, 224))

    return run


def grounding_dino() -> Run:
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection, SwinConfig

    backbone = SwinConfig(
        image_size=224, window_size=7, embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24],
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    net = GroundingDinoForObjectDetection(GroundingDinoConfig(backbone_config=backbone)).eval()
    words = torch.randint(1000, 2000, (1, TOKENS))

    def run(images: Sequence[np.ndarray]) -> None:
        with torch.inference_mode():
            for image in images:
                net(pixel_values=squashed(image, 800, 800), input_ids=words)  # its processor's short side

    return run


def owl() -> Run:
    from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2TextConfig, Owlv2VisionConfig

    vision = Owlv2VisionConfig(image_size=960, patch_size=16)
    net = Owlv2ForObjectDetection(Owlv2Config(text_config=Owlv2TextConfig().to_dict(), vision_config=vision.to_dict()))
    net.eval()
    words = torch.randint(1, 1000, (PHRASES, 16))

    def run(images: Sequence[np.ndarray]) -> None:
        with torch.inference_mode():
            for image in images:
                net(input_ids=words, pixel_values=squashed(image, 960, 960))

    return run


if __name__ == "__main__":
    main()

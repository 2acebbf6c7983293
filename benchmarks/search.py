"""Speed of search, recall of the index, and other libraries on the same vectors.

The images are synthetic. Each has 20 regions, with vectors as long as the built-in model's and the statistics of its
regions on 1,000 photographs: the fraction of variance in the first 8 to 512 principal components; a mean cosine of 0.51
between the regions of an image (a scene, one of 2,000, and objects, out of 4,000), which varies by 0.15 between images.
A query has ten words around a direction near a region of one of the images (cosine of 0.49 with its best region, 0.85
among the words).

    python benchmarks/search.py --images 10000 100000 1000000 --out docs/results/search.json

The index is read into memory first, as it is after some hundred queries; caching of the scanned vectors is left to the
system. `exact`, `maxsim-cpu` and torch take turns on the same queries, so that other programs slow all of them.
maxsim-cpu and torch hold vectors in single precision in memory; they are left out at a million images, which do not
fit.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from phrasebox.io.atomic import write_json
from phrasebox.search import scorer
from phrasebox.search.int8 import to_planes
from phrasebox.search.lance_index import LanceIndex, build
from phrasebox.search.scorer import Query
from phrasebox.search.vector_files import Collection, Entry, add
from phrasebox.workspace.run_log import versions

REGIONS, WIDTH, WORDS, K = 20, 512, 10, 10
SHARES = ((8, 0.335), (8, 0.179), (16, 0.216), (32, 0.161), (64, 0.059), (128, 0.033), (256, 0.017))
SCENES, OBJECTS = 2000, 4000
BATCH = 1000
IN_MEMORY = 200_000  # largest number of images with single-precision vectors in memory


class World:
    """Generates images and queries; the seed determines all of them."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        spread = np.concatenate([np.full(size, (share / size) ** 0.5) for size, share in SHARES]).astype(np.float32)
        turn = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0].astype(np.float32)
        self.seed, self.mix = seed, spread[:, None] * turn
        self.scenes, self.objects = self._draw(rng, SCENES), self._draw(rng, OBJECTS)

    def _draw(self, rng: np.random.Generator, *shape: int) -> np.ndarray:
        return rng.standard_normal((*shape, WIDTH), dtype=np.float32) @ self.mix

    def images(self, batch: int) -> np.ndarray:
        """Unit vectors (BATCH, R, h)."""
        rng = np.random.default_rng((self.seed, 1, batch))
        scene = 0.75 * self.scenes[rng.integers(SCENES, size=BATCH)] + 0.65 * self._draw(rng, BATCH)
        thing = 0.5 * self.objects[rng.integers(OBJECTS, size=(BATCH, REGIONS))]
        return _unit(0.72 * scene[:, None] + thing + 0.47 * self._draw(rng, BATCH, REGIONS))

    def queries(self, images: int, count: int) -> list[Query]:
        """Sentences that describe regions of images drawn from the first ones."""
        rng = np.random.default_rng((self.seed, 2))
        found = []
        for image in rng.integers(images, size=count).tolist():
            region = self.images(image // BATCH)[image % BATCH, rng.integers(REGIONS)]
            common = _unit(0.55 * region + 0.8 * _unit(self._draw(rng)))
            words = _unit(common + 0.42 * _unit(self._draw(rng, WORDS)))
            found.append(Query(words, 1 / WORDS, 0.0))
        return found

    def entries(self, images: int) -> Iterator[Entry]:
        """The images as search stores them."""
        boxes = np.zeros((REGIONS, 4), np.float32)
        for batch in range(-(-images // BATCH)):
            for i, vectors in enumerate(self.images(batch)[: images - batch * BATCH]):
                yield Entry(f"{batch * BATCH + i:08d}", to_planes(vectors), 0.0, boxes, (640, 480))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def others(world: World, images: int) -> dict[str, Callable[[Query], np.ndarray]]:
    """The libraries that score all images, with vectors in single precision in memory."""
    import maxsim_cpu

    table = np.empty((images, REGIONS, WIDTH), np.float32)
    for start in range(0, images, BATCH):
        table[start : start + BATCH] = world.images(start // BATCH)[: images - start]
    tensor = torch.from_numpy(table).view(images * REGIONS, WIDTH)

    def plain(query: Query) -> np.ndarray:
        """One product, then the maximum, for some thousand images at a time, which is faster than all at once."""
        words = torch.from_numpy(query.vectors).T
        parts = [(part @ words).view(-1, REGIONS, WORDS).amax(1).sum(1) for part in tensor.split(REGIONS * 1000)]
        return torch.cat(parts).numpy()

    return {"maxsim-cpu": lambda q: maxsim_cpu.maxsim_scores(q.vectors, table), "torch": plain}


def private_bytes() -> int | None:
    """Memory of this process that is not mapped from files, if the system reports it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), None)


def measure(folder: Path, images: int, count: int, seed: int) -> dict[str, object]:
    """All measurements for one number of images; the vectors are written to ``folder``."""
    world = World(seed)
    store, index = folder / "images", folder / "lancedb"
    store.mkdir(parents=True, exist_ok=True)
    made = folder / "made.json"
    if not made.exists():
        started = time.perf_counter()
        add(store, world.entries(images))
        written = time.perf_counter()
        build(index, Collection(store), fresh=True, advance=lambda n: None)
        seconds_of = {"to write vectors": written - started, "to build the index": time.perf_counter() - written}
        write_json(made, {name: round(seconds, 1) for name, seconds in seconds_of.items()})
    collection = Collection(store)
    lance = LanceIndex(index, collection)
    ways: dict[str, Callable[[Query], np.ndarray]] = {
        "exact": lambda q: scorer.top(collection, q, K)[0],
        "lancedb": lambda q: lance.top(q, K)[0],
    }
    started = time.perf_counter()
    lance.warm()
    warmed = time.perf_counter() - started
    queries = world.queries(images, count + 2)
    for query in queries[:2]:
        for way in ways.values():
            way(query)
    private = private_bytes()
    if images <= IN_MEMORY:
        ways |= {
            name: lambda q, way=way: np.argsort(-way(q), kind="stable")[:K]
            for name, way in others(world, images).items()
        }
    found: dict[str, list[list[int]]] = {name: [] for name in ways}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for n, query in enumerate(queries):
        for name, way in ways.items():
            started = time.perf_counter()
            rows = way(query)
            if n >= 2:  # two to warm up
                seconds[name].append(time.perf_counter() - started)
                found[name].append(rows.tolist())
    names = np.array(list(collection.keys())).astype(int)
    truth = [names[rows].tolist() for rows in found["exact"]]
    result: dict[str, object] = {
        "images": images,
        "regions": collection.vectors,
        "bytes_of_vectors": collection.bytes,
        "bytes_of_index": sum(path.stat().st_size for path in index.rglob("*") if path.is_file()),
        "seconds": json.loads(made.read_bytes()) | {"to read the index into memory": round(warmed, 1)},
        "private_bytes_of_exact_and_lancedb": private,
        "ways": {},
    }
    for name in ways:
        rows = [names[r].tolist() if name in ("exact", "lancedb") else r for r in found[name]]
        recall = np.mean([len(set(r) & set(t)) / K for r, t in zip(rows, truth, strict=True)])
        result["ways"][name] = {  # type: ignore[index]
            "median_ms": round(float(np.median(seconds[name])) * 1000, 2),
            "p95_ms": round(float(np.percentile(seconds[name], 95)) * 1000, 2),
            "recall@10": round(float(recall), 4),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("build/search-benchmark"))
    parser.add_argument("--keep", action="store_true", help="keep the vectors and the index for the next run")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    results = []
    for images in args.images:
        folder = args.folder / str(images)
        results.append(measure(folder, images, args.queries, args.seed))
        print(json.dumps(results[-1], indent=1), flush=True)
        if not args.keep:
            shutil.rmtree(folder)
    if args.out:
        about = {
            "threads": torch.get_num_threads(),
            "processor": platform.processor() or platform.machine(),
            "regions_an_image": REGIONS,
            "width": WIDTH,
            "words": WORDS,
            "queries": args.queries,
            "seed": args.seed,
            "versions": versions(),
        }
        write_json(args.out, {**about, "results": results})


if __name__ == "__main__":
    main()

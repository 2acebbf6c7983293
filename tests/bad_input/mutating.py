"""Files of every kind that phrasebox reads, damaged at random, and what reading one must come to."""

from __future__ import annotations

import io
import json
import random
import re
import signal
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from phrasebox.aligner import Aligner, AlignerModel, Bank, ModelSettings
from phrasebox.errors import PhraseboxError
from phrasebox.formats import read_source, write_target
from phrasebox.io.images import image_size, load_image
from phrasebox.regions.compatibility import workspace_regions
from phrasebox.regions.settings import RegionSettings
from phrasebox.types import Box, Example, GroundedCaption, GroundedImage, Phrase, Regions, Skipped
from phrasebox.workspace import schema as rows
from phrasebox.workspace.workspace import Workspace

_SECONDS = 60  # that one file may take before it counts as hanging, on however busy a machine
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"-Infinity", b"1e38", b"1e-40", b"2147483648", b"9" * 30, b"9" * 5000,
            b"null", b"true", b'"7"', b"[]", b"{}", b"0.5")  # fmt: skip
_PIECES = (b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"../", b"/etc/passwd", b"\\", b'"', b"]", b"[" * 3000,
           b'{"a":' * 3000, b"\r", b"\t", b"\x1b[2J", b"&lol;", b"<!DOCTYPE>", b"[/EN#", b" " * 5000)  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The same file with one to three damages."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(_DAMAGES)(data, rng)
    return data


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(min(len(changed), rng.choice((1, 1, 4, 32)))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(data))
    new = rng.choice((b"\x00", b"\xff", rng.randbytes(1))) * rng.choice((1, 2, 4, 8))
    return data[:at] + new + data[at + len(new) :]


def _cut_off(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _part(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 4, 40, 400)))


def _leave_out(data: bytes, rng: random.Random) -> bytes:
    start, end = _part(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start, end = _part(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 3)) + data[end:]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(_PIECES) + data[at:]


def _other_number(data: bytes, rng: random.Random) -> bytes:
    found = [match.span() for match in _NUMBER.finditer(data)]
    if not found:
        return _flip(data, rng)
    start, end = rng.choice(found)
    return data[:start] + rng.choice(_NUMBERS) + data[end:]


_DAMAGES = (_flip, _overwrite, _cut_off, _leave_out, _repeat, _insert, _other_number, _other_number)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    seeds : sequence of bytes
        Whole ones.
    read : callable
        Reads a file as phrasebox would, uses what it gives, and returns how much of it was left out; may raise
        `PhraseboxError` and nothing else.
    """

    seeds: Sequence[bytes]
    read: Callable[[bytes], int]


def try_out(kind: Kind, count: int, seed: int) -> int:
    """Read ``count`` damaged files; those in which damage was noticed are counted.

    Raises
    ------
    AssertionError
        If one ends in anything but an answer or one line, or hangs; it carries the file's number for `nth`.
    """
    noticed = 0
    for number in range(count):
        data = nth(kind, number, seed)
        try:
            with _patience():
                noticed += bool(kind.read(data))
        except PhraseboxError as error:
            noticed += 1
            if not str(error).strip():
                raise AssertionError(f"file {number} of seed {seed}: refused without a reason") from error
        except Exception as error:
            raise AssertionError(f"file {number} of seed {seed}: {type(error).__name__}: {error}") from error
    return noticed


def nth(kind: Kind, number: int, seed: int) -> bytes:
    """The damaged file of this number."""
    rng = random.Random(f"{seed} {number}")
    return mutated(kind.seeds[number % len(kind.seeds)], rng)


@contextmanager
def _patience() -> Iterator[None]:
    def hangs(*_: object) -> None:
        raise TimeoutError(f"takes more than {_SECONDS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


NAMES = (
    "images", "karpathy", "flickr-token", "odvg", "entities-xml", "entities-sentences", "entities-zip", "webdataset",
    "ms-swift", "florence2", "qwen", "qwen-1000", "sa-co", "manifest", "config.json", "model.safetensors",
    "bank.safetensors",
)  # fmt: skip


def kinds(folder: Path) -> dict[str, Kind]:
    """Every kind, with readers that write into ``folder``."""
    made = {
        "images": Kind(_pictures(), _image(folder)),
        "karpathy": Kind([_karpathy()], _source(folder / "dataset.json", "karpathy")),
        "flickr-token": Kind([_token()], _source(folder / "Some.token.txt", "flickr-token")),
        "odvg": Kind([_odvg()], _source(folder / "some.jsonl", "odvg")),
        "entities-xml": Kind([_XML], _entities(folder / "xml", "Annotations/1.xml")),
        "entities-sentences": Kind([_SENTENCES], _entities(folder / "sentences", "Sentences/1.txt")),
        "entities-zip": Kind([_zip(zipfile.ZIP_STORED), _zip(zipfile.ZIP_DEFLATED)], _archive(folder / "zip")),
        "webdataset": Kind([_tar()], _source(folder / "00000.tar", "webdataset")),
        **{name: Kind([_pairs(folder, name)], _source(folder / f"some.{name}", name)) for name in _OF_MODELS},
        "manifest": Kind([_manifest(folder / "ws")], _workspace(folder / "ws")),
    }
    aligner = _aligner()
    for name in ("config.json", "model.safetensors", "bank.safetensors"):
        of_its_own = folder / name.partition(".")[0]
        aligner.save(of_its_own, "# A card\n")
        made[name] = Kind([(of_its_own / name).read_bytes()], _model(of_its_own, name))
    assert tuple(made) == NAMES
    return made


def _pictures() -> list[bytes]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 32, 3), np.uint8)
    pixels[4:20, 4:20] = (200, 30, 40)
    colour = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [colour.rotate(90 * i).convert("P") for i in range(3)]
    made = {
        "PNG": [(colour, {}), (colour.convert("P"), {}), (Image.fromarray(pixels[..., 0].astype(np.uint16) * 257), {}),
                (colour.convert("RGBA"), {"exif": exif})],
        "JPEG": [(colour, {"exif": exif}), (colour.convert("CMYK"), {}), (colour, {"progressive": True}),
                 (colour.convert("L"), {"icc_profile": bytes(200)})],
        "GIF": [(frames[0], {"save_all": True, "append_images": frames[1:]})],
        "WEBP": [(colour, {}), (colour, {"lossless": True, "exif": exif})],
        "BMP": [(colour, {})],
        "TIFF": [(colour, {}), (colour, {"compression": "tiff_lzw"}), (colour.convert("1"), {"compression": "group4"})],
    }  # fmt: skip
    seeds = []
    for format, pictures in made.items():
        for picture, options in pictures:
            file = io.BytesIO()
            picture.save(file, format, **options)
            seeds.append(file.getvalue())
    return seeds


def _image(folder: Path) -> Callable[[bytes], int]:
    path = folder / "picture"

    def read(data: bytes) -> int:
        path.write_bytes(data)
        assert min(image_size(path)) > 0
        pixels = load_image(path, max_pixels=4_000_000)
        assert pixels.ndim == 3
        assert pixels.dtype == np.uint8
        return 0

    return read


def _karpathy() -> bytes:
    images = [
        {"imgid": i, "filename": f"{i}.png", "filepath": "sub", "split": split, "sentids": [2 * i],
         "sentences": [{"sentid": 2 * i, "imgid": i, "raw": f"A dog and {i} cats – 犬 .", "tokens": ["a", "dog"]}]}
        for i, split in enumerate(("train", "restval", "val", "test"))
    ]  # fmt: skip
    return json.dumps({"dataset": "small", "images": images}, ensure_ascii=False).encode()


def _token() -> bytes:
    return "".join(f"{i}.jpg#{n}\tA dog and {n} cats – 犬 .\n" for i in range(4) for n in range(3)).encode()


def _odvg() -> bytes:
    one = {"bbox": [1.5, 2, 20, 21.25], "phrase": "A dog", "tokens_positive": [[0, 5]]}
    two = {"bbox": [[0, 0, 9, 9], [3, 4, 5, 6]], "phrase": "a 猫", "tokens_positive": [[10, 13]]}
    grounding = {"caption": "A dog and a 猫 .", "regions": [one, two]}
    lines = [{"filename": f"{i}.jpg", "height": 48, "width": 64, "grounding": grounding} for i in range(4)]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


_OF_MODELS = ("ms-swift", "florence2", "qwen", "qwen-1000", "sa-co")


def _pairs(folder: Path, format: str) -> bytes:
    """What is exported to fine-tune vision-language models."""
    text = "A dog and a 猫 ."
    phrases = (Phrase("A dog", (0, 5), Box(1.5, 2, 20, 21.25), 1, 1, further=(Box(0, 0, 9, 9),)),
               Phrase("a 猫", (10, 13), Box(3, 4, 5, 6), 1, 1))  # fmt: skip
    caption = GroundedCaption(text, phrases)
    records = [GroundedImage(f"{i}.jpg", folder / f"{i}.jpg", "train", 64, 48, (caption,)) for i in range(4)]
    write_target(folder / "pairs", records, format)
    return (folder / "pairs").read_bytes()


_XML = (
    b'<?xml version="1.0"?><annotation><filename>1.jpg</filename><size><width>64</width><height>48</height>'
    b"<depth>3</depth></size><object><name>1</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>30</xmax><ymax>40</ymax>"
    b"</bndbox></object><object><name>2</name><name>3</name><scene>1</scene><nobndbox>0</nobndbox></object></annotation>"
)
_SENTENCES = "[/EN#1/people A young child] is near [/EN#2/other/scene a 犬] .\n[/EN#0/notvisual It] is .\n".encode()


def _entities(folder: Path, member: str) -> Callable[[bytes], int]:
    files = {"images/1.jpg": b"", "Annotations/1.xml": _XML, "Sentences/1.txt": _SENTENCES}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    def read(data: bytes) -> int:
        (folder / member).write_bytes(data)
        return use(folder, "entities")

    return read


def _zip(compression: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name in ("1", "2"):
            archive.writestr(f"some/Sentences/{name}.txt", _SENTENCES)
            archive.writestr(f"some/Annotations/{name}.xml", _XML.replace(b"1.jpg", f"{name}.jpg".encode()))
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in {
            "0.jpg": b"picture", "0.txt": "A dog – 犬 .".encode(), "0.json": b'{"caption": "A dog", "width": 64}',
            "1.jpg": b"picture", "1.grounding.json": _GROUNDING,
        }.items():  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


_GROUNDING = json.dumps(
    {"file_name": "sub/1.jpg", "width": 64, "height": 48, "split": "val",
     "captions": [{"caption": "A dog", "phrases": [{"phrase": "A dog", "span": [0, 5], "bbox": [1.5, 2, 20, 21]}]}]}
).encode()  # fmt: skip


def _archive(folder: Path) -> Callable[[bytes], int]:
    (folder / "images").mkdir(parents=True)
    for name in ("1", "2"):
        (folder / "images" / f"{name}.jpg").touch()
    return _source(folder / "some.zip", "entities")


def _source(file: Path, format: str) -> Callable[[bytes], int]:
    def read(data: bytes) -> int:
        file.write_bytes(data)
        return use(file, format)

    return read


def use(source: Path, format: str) -> int:
    """Read a source and take what it gives through the workspace's rows and back; how much was left out."""
    found = list(read_source(source, format, unpack_to=source.parent / "unpacked"))
    left_out = [item for item in found if isinstance(item, Skipped)]
    assert all(item.reason for item in left_out)
    examples = [item for item in found if isinstance(item, Example)]
    images = rows.rows_to_images(rows.images_to_rows(examples, [(0, 0)] * len(examples)))
    by_key = {image.key: image for image in images}
    assert len(by_key) == len(images), "a key came twice"
    for row in rows.truth_to_rows(examples).to_pylist():
        rows.row_to_example(by_key[row["key"]], row)
    return len(left_out)


def _manifest(folder: Path) -> bytes:
    ws = Workspace.create(folder)
    ws.claim("regions", {"proposer": "grid", "density": 27, "regions": 27, "nms": 1.0, "size": 96})
    ws.claim("ground", {"model": "0123456789abcdef", "beta": 0.03})
    with ws.running("regions", {"proposer": "grid", "density": 27}, seed=0):
        pass
    rng = np.random.default_rng(0)
    ws.append_regions([Regions(np.array([[0, 0, 4, 4]], np.float32), np.ones(1, np.float32), 4, 4,
                               rng.normal(size=(1, 4)).astype(np.float16), "a.jpg")])  # fmt: skip
    return (folder / "manifest.json").read_bytes()


def _workspace(folder: Path) -> Callable[[bytes], int]:
    def read(data: bytes) -> int:
        (folder / "manifest.json").write_bytes(data)
        ws = Workspace(folder)
        workspace_regions(ws)
        assert all(isinstance(run.stage, str) for run in ws.runs)
        ws.claim("ground", {"model": "0123456789abcdef", "beta": 0.03})
        return 0

    return read


_SETTINGS = ModelSettings(vector_dim=8, dim=6, hidden=5, words="minilm:static")


def _aligner() -> Aligner:
    torch.manual_seed(0)
    model = AlignerModel(_SETTINGS).eval()
    words = torch.nn.functional.normalize(torch.randn(7, 6), dim=-1)
    regions = torch.nn.functional.normalize(torch.randn(2, 3, 6), dim=-1)
    bank = Bank(words, torch.tensor([3, 4]), regions, torch.ones(2, 3, dtype=torch.bool))
    settings = RegionSettings(proposer="grid", regions=27, density=27, nms=1.0, size=96)
    return Aligner(model, settings, beta=0.25, about={}, bank=bank)


def _model(folder: Path, name: str) -> Callable[[bytes], int]:
    vectors = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float16)
    boxes = np.array([[0, 0, 8, 8], [0, 0, 4, 4], [2, 2, 8, 8]], np.float32)
    regions = Regions(boxes, np.ones(3, np.float32), 8, 8, vectors)

    def read(data: bytes) -> int:
        (folder / name).write_bytes(data)
        aligner = Aligner.load(folder)
        assert np.isfinite(aligner.score([regions], ["a dog runs"], calibrated=True)).all()
        assert np.isfinite(aligner.ground(regions, "a dog runs").scores).all()
        return 0

    return read

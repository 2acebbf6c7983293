"""WebDataset shards as img2dataset writes them, with the phrases of each picture in ``<key>.grounding.json``."""

from __future__ import annotations

import gzip
import json
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, cast

from phrasebox.errors import DataError
from phrasebox.formats._assembling import RawCaption, RawPhrase, as_list, assemble
from phrasebox.formats._columns import captions_of, choose, listed
from phrasebox.formats._disk_grouping import NumberedNames
from phrasebox.formats._lines import LONGEST
from phrasebox.formats._names import Picture
from phrasebox.formats._pictures import LARGEST, needs_folder, unpack, upright_bytes
from phrasebox.formats._reading import IMAGE_SUFFIXES, chosen_split, split_in_name, split_named
from phrasebox.formats._writing import FittedRecords, Written
from phrasebox.io.atomic import replacing_folder
from phrasebox.types import Example, GroundedImage, Phrase, Remark, Skipped

LAYOUT = "*.tar with <key>.jpg and <key>.txt or <key>.json (WebDataset)"
COORDINATES = "xyxy pixels, right and bottom exclusive"
PICTURES = "copied"
_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_PICTURES = tuple(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
_PLAIN = ("txt", "caption", "text")
_TEXTS = (*_PLAIN, "json", "grounding.json")
_NAME = re.compile(r"(?P<key>(?:.*/)?[^./]+)\.(?P<kind>[^/]*)", re.DOTALL)
_SAMPLES_LOOKED_AT = 100
_LOOK = 20  # members looked at to recognise a shard
_SHARD_SAMPLES = 10_000
_SHARD_BYTES = 1 << 30


def recognises(source: Path) -> bool:
    """Whether ``source`` is a tar that begins with a picture and its like, or a folder that holds some."""
    return any(_looks_right(shard) for shard in _shards(source)[:1])


def read(
    source: Path, unpack_to: Path | None = None, columns: str | None = None
) -> Iterator[Example | Skipped | Remark]:
    """Read samples, shard by shard; their pictures are written into a folder.

    The key is ``file_name`` of a sample's ``grounding.json``, else the picture's name in the shard. Captions are those
    of ``grounding.json``, else the ``txt`` or ``caption``, else ``caption`` or the like of the ``json``. The split is
    the one stated there, else it is told by the name of the shard or its folder, else it is ``train``.

    Parameters
    ----------
    source : Path
        A shard (``.tar``, ``.tar.gz``, ``.tgz``) or a folder of them.
    unpack_to : Path
        Folder for the pictures.
    columns : str, optional
        Name of the key of captions in the ``json`` (after one of pictures and a comma, if there is one).

    Raises
    ------
    DataError
        If there is no shard, no ``unpack_to``, or none of the first samples has a caption.
    """
    folder = needs_folder(unpack_to, source)
    shards = _shards(source)
    if not shards:
        raise DataError(f"{source}: no {LAYOUT} in it")
    if columns is None:
        with suppress(_ShardError):  # reading it says why
            _check_captions(shards[0])
    with NumberedNames() as seen:
        for shard in shards:
            try:
                for item in _samples(shard):
                    if isinstance(item, Skipped):
                        yield item
                    else:
                        yield from _examples(item, shard, folder, seen, columns)
            except DataError as error:
                yield Skipped(shard.name, str(error))


@dataclass
class _Sample:
    """The members of one key; ``reasons`` says why some are not in ``parts``."""

    key: str
    parts: dict[str, bytes] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


def _samples(shard: Path) -> Iterator[_Sample | Skipped]:
    """Samples of a shard: consecutive members with one key."""
    sample = None
    with _opened(shard) as tar:
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined] # it would keep all of them
            name = member.name.removeprefix("./")
            found = _NAME.fullmatch(name)
            kind = found["kind"].lower() if found else ""
            if member.isdir() or not found or kind not in (*_PICTURES, *_TEXTS):
                continue
            if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name):
                yield Skipped(_shown(member.name), "the name leaves its folder")
                continue
            if sample is None or found["key"] != sample.key:
                if sample:
                    yield sample
                sample = _Sample(found["key"])
            limit = LONGEST if kind in _TEXTS else LARGEST
            if not member.isreg():
                sample.reasons.append(f"its .{kind} is a link or a device, not a file")
            elif member.size > limit:
                sample.reasons.append(f"its .{kind} has {member.size} bytes, more than {limit}")
            elif kind in sample.parts:
                sample.reasons.append(f"a second .{kind} is left out")
            elif file := tar.extractfile(member):
                sample.parts[kind] = file.read()
    if sample:
        yield sample


def _check_captions(shard: Path) -> None:
    """Raise `DataError` if samples have a ``json``, but none of the first ones a caption."""
    keys: dict[str, None] = {}
    for item, _ in zip(_samples(shard), range(_SAMPLES_LOOKED_AT), strict=False):
        if not isinstance(item, _Sample):
            continue
        try:
            about = _json(item, "json")
        except DataError:
            continue
        if {*_PLAIN, "grounding.json"} & item.parts.keys() or choose(about).captions:
            return
        keys.update(dict.fromkeys(about))
    if keys:
        raise DataError(
            f"{shard}: no captions among the keys of its json {listed(keys)}; name theirs: --columns CAPTION"
        )


def _examples(
    sample: _Sample, shard: Path, folder: Path, seen: NumberedNames, columns: str | None
) -> Iterator[Example | Skipped | Remark]:
    place = f"{shard.name}/{_shown(sample.key)}"
    yield from (Skipped(place, reason, "row") for reason in sample.reasons)
    kind = next((kind for kind in _PICTURES if kind in sample.parts), None)
    if kind is None:
        yield Skipped(place, "it has no picture")
        return
    try:
        about, grounded = (_json(sample, part) for part in ("json", "grounding.json"))
        named = grounded.get("file_name")
        key = named if isinstance(named, str) else f"{sample.key}.{kind}"
        split = chosen_split(grounded.get("split") or about.get("split"), _split(shard))
        if not seen.new(key):
            raise DataError(f"the image {_shown(key)} is there twice; the first is kept")
        picture = unpack(sample.parts[kind], folder, key)
    except DataError as error:
        yield Skipped(place, str(error))
        return
    captions = [
        RawCaption(caption.get("caption"), [_phrase(p) for p in as_list(caption.get("phrases")) if isinstance(p, dict)])
        for caption in as_list(grounded.get("captions"))
        if isinstance(caption, dict)
    ]
    plain = next((sample.parts[kind] for kind in _PLAIN if kind in sample.parts), None)
    if not captions and plain is not None and columns is None:
        captions = [RawCaption(plain.decode("utf-8-sig", "surrogateescape").removesuffix("\n"))]
    if not captions:
        captions = list(captions_of(about, _captions_in(about, columns)))
    size = grounded.get("width"), grounded.get("height")
    yield from assemble(Picture(key, picture), captions, split, size=size)


def _captions_in(about: Mapping[str, Any], columns: str | None) -> tuple[str, ...]:
    try:
        return choose(about, columns, embedded=True).captions
    except DataError:  # this sample lacks the key
        return ()


def _phrase(phrase: dict[str, Any]) -> RawPhrase:
    span, box = phrase.get("span"), phrase.get("bbox")
    return RawPhrase(phrase.get("phrase"), None if span is None else [span], [] if box is None else [box])


def _json(sample: _Sample, kind: str) -> dict[str, Any]:
    try:
        value = json.loads(sample.parts.get(kind, b"{}"))
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, a number too long
        reason = "is nested too deeply" if isinstance(error, RecursionError) else f"is not valid JSON: {error}"
        raise DataError(f"its .{kind} {reason}") from None
    return value if isinstance(value, dict) else {}


def _split(shard: Path) -> str | None:
    return split_in_name(shard.name) or split_named(shard.absolute().parent.name)


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _shards(source: Path) -> list[Path]:
    def shards(candidates: Iterable[Path]) -> list[Path]:
        return [path for path in candidates if path.name.lower().endswith(_SUFFIXES) and path.is_file()]

    if not source.is_dir():
        return shards([source])
    return shards(sorted(source.iterdir())) or shards(sorted(source.glob("*/*.t*")))


def _looks_right(shard: Path) -> bool:
    try:
        with _opened(shard) as tar:
            for _ in range(_LOOK):
                member = tar.next()
                if member is None:
                    return False
                found = _NAME.fullmatch(member.name)
                if found and found["kind"].lower() in _PICTURES:
                    return True
    except DataError:
        pass
    return False


class _ShardError(DataError):
    """A shard that is damaged."""


class _Guarded:
    """A file that rejects reads larger than any member may be, which only a forged header asks for."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.close, self._read = file.seek, file.tell, file.close, file.read

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST:
            raise tarfile.ReadError(f"a header asks for {size} bytes")
        return self._read(size)


@contextmanager
def _opened(shard: Path) -> Iterator[tarfile.TarFile]:
    packed = shard.suffix.lower() != ".tar"
    try:
        with gzip.open(shard) if packed else shard.open("rb") as file:
            guarded = cast(BinaryIO, _Guarded(cast(BinaryIO, file)))
            with tarfile.open(fileobj=guarded, mode="r:") as tar:
                yield tar
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise _ShardError(f"{shard} cannot be read to its end: {error}") from None


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write a folder of shards ``00000.tar``, ``00001.tar``, ... of at most 10,000 pictures and about a GiB.

    A sample is an image that has captions: ``jpg``, the picture's file, turned upright where EXIF asks for it; ``txt``,
    its first caption; ``json`` with img2dataset's names (``caption``, ``key``, ``status``, ``width``, ``height``, ...)
    and all ``captions``; ``grounding.json`` with ``file_name`` (the image's key), ``split``, ``width``, ``height`` and
    ``captions``, each with its ``phrases``: ``phrase``, ``span``, ``bbox`` (absolute ``xyxy``), ``score``,
    ``confidence`` and ``whole_image``.

    The member is named ``jpg`` whatever the file's encoding, as img2dataset names it: ``datasets`` asks that all
    samples have the same members, and readers tell the encoding by the bytes.

    Raises
    ------
    DataError
        If ``path`` cannot be written.
    """
    fitted, numbers = FittedRecords(record for record in records if record.captions), count()
    with replacing_folder(path) as part, closing(_Shards(part)) as shards:
        for record in fitted:
            picture = fitted.picture(record, lambda record: upright_bytes(record.image))
            if picture is None:
                continue
            key = f"{next(numbers):09d}"
            about = {
                "caption": record.captions[0].text,
                "captions": [caption.text for caption in record.captions],
                "url": None,
                "key": key,
                "status": "success",
                "error_message": None,
                "width": record.width,
                "height": record.height,
                "original_width": record.width,
                "original_height": record.height,
            }
            members = {
                "jpg": picture,
                "txt": record.captions[0].text.encode(),
                "json": _json_bytes(about),
                "grounding.json": _json_bytes(_grounding_json(record)),
            }
            shards.add({f"{key}.{kind}": data for kind, data in members.items()})
    return fitted.report()


class _Shards:
    """NumberedNames tar files; the next one is begun when one is full."""

    def __init__(self, folder: Path) -> None:
        self._numbers = (folder / f"{number:05d}.tar" for number in count())
        self._tar: tarfile.TarFile | None = None
        self._samples = 0

    def add(self, members: dict[str, bytes]) -> None:
        if self._tar is None or self._samples == _SHARD_SAMPLES or self._tar.offset >= _SHARD_BYTES:
            self.close()
            self._tar, self._samples = tarfile.TarFile(next(self._numbers), "w", format=tarfile.USTAR_FORMAT), 0
        for name, data in members.items():
            about = tarfile.TarInfo(name)  # of the year 1970, so that equal data gives equal bytes
            about.size = len(data)
            self._tar.addfile(about, BytesIO(data))
        self._tar.members.clear()  # type: ignore[attr-defined] # it would keep all of them
        self._samples += 1

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()


def _grounding_json(record: GroundedImage) -> dict[str, Any]:
    return {
        "file_name": record.key,
        "split": record.split,
        "width": record.width,
        "height": record.height,
        "captions": [{"caption": c.text, "phrases": list(_phrases(c.phrases))} for c in record.captions],
    }


def _phrases(phrases: Iterable[Phrase]) -> Iterator[dict[str, Any]]:
    for phrase in phrases:
        yield {
            "phrase": phrase.text,
            "span": list(phrase.span),
            "bbox": list(phrase.box),
            "score": phrase.score,
            "confidence": phrase.confidence,
            "whole_image": phrase.whole_image,
        }


def _json_bytes(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()

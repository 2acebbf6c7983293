"""Region-phrase data as WebDataset shards that img2dataset's readers know, with the phrases beside each picture."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

from phrasebox.formats.pictures import upright_bytes
from phrasebox.formats.writing import FittedRecords, Written, replacing_folder
from phrasebox.types import GroundedImage, Phrase

_SHARD_SAMPLES = 10_000
_SHARD_BYTES = 1 << 30


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write a folder of shards ``00000.tar``, ``00001.tar``, ... of at most 10,000 pictures and about a GiB.

    A sample is an image that has captions: the picture, turned upright where EXIF asks for it; ``txt``, its first
    caption; ``json`` with img2dataset's names (``caption``, ``key``, ``status``, ``width``, ``height``, ...) and all
    ``captions``; ``grounding.json`` with ``file_name`` (the image's key), ``split``, ``width``, ``height`` and
    ``captions``, each with its ``phrases``: ``phrase``, ``span``, ``bbox`` (absolute ``xyxy``), ``score``,
    ``confidence`` and ``whole_image``.

    Raises
    ------
    DataError
        If ``path`` cannot be written, or a picture cannot be read.
    """
    fitted = FittedRecords(record for record in records if record.captions)
    with replacing_folder(path) as part, closing(_Shards(part)) as shards:
        for number, record in enumerate(fitted):
            key = f"{number:09d}"
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
                record.image.suffix[1:].lower(): upright_bytes(record.image),
                "txt": record.captions[0].text.encode(),
                "json": _json(about),
                "grounding.json": _json(_grounding(record)),
            }
            shards.add({f"{key}.{kind}": data for kind, data in members.items()})
    return fitted.report()


class _Shards:
    """Numbered tar files; the next one is begun when one is full."""

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


def _grounding(record: GroundedImage) -> dict[str, Any]:
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


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()

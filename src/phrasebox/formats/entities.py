"""Flickr30k Entities: sentences whose phrases carry chain ids, and an XML of the boxes of every chain."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from phrasebox.errors import DataError
from phrasebox.formats._reading import SplitLists, images_folder, is_picture, read_whole, text_lines
from phrasebox.formats._writing import FittedRecords, UniqueStems, Written, replacing_folder_or_zip, without_overlap
from phrasebox.types import MOST_PIXELS, Box, Caption, Example, GroundedCaption, GroundedImage, Skipped, TruePhrase

LAYOUT = "Sentences/ and Annotations/ (Flickr30k Entities), or a zip of them"
COORDINATES = "xmin, ymin, xmax, ymax in whole pixels counted from 1, last pixel included"
PICTURES = "named"
_NOT_VISUAL = "0"
_TAG = re.compile(r"\[/EN#(?P<chain>[^/\s\[\]]+)(?P<types>(?:/[^/\s\[\]]+)+) +(?P<text>[^\s\[\]][^\[\]]*)\]")
_TAG_START = "[/EN#"
_Corners = tuple[int, int, int, int]
_Chains = dict[frozenset[_Corners], str]
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def recognises(source: Path) -> bool:
    """Whether ``source`` is a folder or a zip that holds ``Sentences`` and ``Annotations``."""
    if not source.is_dir() and source.suffix.lower() != ".zip":
        return False
    try:
        with _opened(source):
            return True
    except DataError:
        return False


def read(source: Path, images: Path | None = None, split_files: Sequence[Path] = ()) -> Iterator[Example | Skipped]:
    """Read captions with their true phrases and boxes; nothing is unpacked to disk.

    The key is the picture's file name: the one that the annotation gives, if the images folder has it, else
    ``<id>.jpg`` or ``<id>_*.jpg`` (or another picture ending) in that folder. ``size`` of an example is the one that
    the boxes refer to, whatever the size of the picture at hand. Without split lists every image is in ``train``; with
    lists, images in none of them are left out.

    Parameters
    ----------
    source : Path
        A folder with ``Sentences`` and ``Annotations``, a zip of them, or a folder with that ``annotations.zip``.
    images : Path, optional
        Folder of the image files; by default ``images/`` beside the source, else the source's own folder.
    split_files : sequence of Path
        Lists of names or ids, one a line, named ``*train*``, ``*dev*``, ``*val*`` or ``*test*``; by default
        those beside the source.

    Raises
    ------
    DataError
        If the source is not in this layout, the images folder has no pictures, or split lists contradict each other.
    """
    beside = source if source.is_dir() else source.parent
    folder = images_folder(images, beside)
    lists = SplitLists.load(split_files, beside)
    taken = set[str]()
    with _opened(source) as root:
        pictures = _Pictures.index(folder)
        for name in _ids(root):
            annotation = _annotation(root, name)
            found = pictures.of(name, annotation.filename if isinstance(annotation, Annotation) else "")
            if len(found) != 1:
                which = " and ".join(found) or f"no {name}.jpg or {name}_*.jpg"
                yield Skipped(name, f"expected one picture in {folder}, found {which}; name its folder with --images")
                continue
            if found[0] in taken:
                yield Skipped(name, f"its picture {found[0]} is that of another id; the first is kept")
                continue
            taken.add(found[0])
            split = lists.split(found[0], name, Path(found[0]).stem)
            if split is None:
                yield lists.outside(found[0], folder / found[0])
            else:
                yield from _image(root, name, annotation, found[0], folder, split)


@dataclass(frozen=True)
class Annotation:
    """One annotation file: the image's file name, its size in pixels, and the boxes of every chain id."""

    size: tuple[int, int]
    boxes: Mapping[str, tuple[Box, ...]]
    filename: str = ""


def parse_annotation(xml: bytes) -> Annotation:
    """Read an annotation; pixels that count from 1, last one included, become edges that count from 0.

    Boxes with no area are dropped. Chains flagged ``scene`` or ``nobndbox`` have no boxes.

    Raises
    ------
    DataError
        If the XML is malformed, or a number is missing or not a whole number.

    Examples
    --------
    >>> annotation = parse_annotation(b'''<annotation><size><width>375</width><height>500</height></size><object>
    ... <name>18</name><bndbox><xmin>8</xmin><ymin>152</ymin><xmax>375</xmax><ymax>500</ymax></bndbox>
    ... </object></annotation>''')
    >>> annotation.size, annotation.boxes
    ((375, 500), {'18': (Box(x1=7.0, y1=151.0, x2=375.0, y2=500.0),)})
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException, ElementTree

    try:
        root = ElementTree.fromstring(xml)
        width, height = (int(root.findtext(f"size/{side}", "")) for side in ("width", "height"))
        boxes: dict[str, tuple[Box, ...]] = {}
        for item in root.iter("object"):
            corners = [
                [int(box.findtext(edge, "")) for edge in ("xmin", "ymin", "xmax", "ymax")]
                for box in item.iter("bndbox")
            ]
            own = tuple(Box(x1 - 1, y1 - 1, x2, y2) for x1, y1, x2, y2 in corners if x1 <= x2 and y1 <= y2)
            for chain in item.findall("name"):
                boxes[chain.text or ""] = boxes.get(chain.text or "", ()) + own
    except ParseError as error:
        raise DataError(f"the XML is malformed: {error}") from None
    except (DefusedXmlException, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise DataError(f"the annotation cannot be used: {error}") from None
    if not all(0 < side < MOST_PIXELS for side in (width, height)):
        raise DataError(f"the annotation cannot be used: its image is {width} x {height} pixels")
    return Annotation((width, height), boxes, root.findtext("filename", ""))


def parse_sentence(line: str, boxes: Mapping[str, tuple[Box, ...]]) -> Caption:
    """Turn a tagged sentence into the plain one with its phrases, their spans and the boxes of their chains.

    Raises
    ------
    DataError
        If a tag is malformed or nothing is left without the tags.

    Examples
    --------
    >>> caption = parse_sentence("[/EN#283585/people A young child] is jumping .", {})
    >>> caption.text
    'A young child is jumping .'
    >>> caption.phrases[0].span, caption.phrases[0].types, caption.phrases[0].chain
    ((0, 13), ('people',), '283585')
    """
    plain, phrases, at = "", [], 0
    for tag in _TAG.finditer(line):
        plain += line[at : tag.start()]
        at = tag.end()
        text, chain = tag["text"].rstrip(), tag["chain"]
        own = boxes.get(chain, ()) if chain != _NOT_VISUAL else ()
        span = (len(plain), len(plain) + len(text))
        phrases.append(TruePhrase(text, span, own, tuple(tag["types"][1:].split("/")), chain))
        plain += tag["text"]
    plain += line[at:]
    if _TAG_START in plain:
        raise DataError(f"malformed tag in {line!r}")
    return Caption(plain, tuple(phrases))


def _annotation(root: Path | zipfile.Path, name: str) -> Annotation | DataError:
    """The parsed annotation, or the error that says why it cannot be used."""
    try:
        return parse_annotation(_bytes(root, f"Annotations/{name}.xml"))
    except DataError as error:
        return error


def _image(
    root: Path | zipfile.Path, name: str, annotation: Annotation | DataError, picture: str, folder: Path, split: str
) -> Iterator[Example | Skipped]:
    try:
        if isinstance(annotation, DataError):
            raise annotation
        lines = text_lines(_bytes(root, f"Sentences/{name}.txt"))
    except DataError as error:
        yield Skipped(picture, str(error))
        return
    captions = []
    for number, line in enumerate(line for line in lines if line.strip()):
        try:
            captions.append(parse_sentence(line, annotation.boxes))
        except DataError as error:
            yield Skipped(f"{picture}#{number}", str(error), "caption")
    yield Example(picture, folder / picture, tuple(captions), split, size=annotation.size)


def _bytes(root: Path | zipfile.Path, member: str) -> bytes:
    try:
        with (root / member).open("rb") as file:
            return read_whole(file)
    except FileNotFoundError:
        raise DataError(f"no {member}") from None
    except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:  # RuntimeError: an encrypted member
        raise DataError(f"cannot read {member}: {error}") from None


def _ids(root: Path | zipfile.Path) -> list[str]:
    """Ids with sentences or an annotation, sorted; a missing one of the two is reported when the id is read."""
    kinds = (("Sentences", ".txt"), ("Annotations", ".xml"))
    names = {
        member.stem
        for folder, suffix in kinds
        for member in (root / folder).iterdir()
        if member.suffix == suffix and not member.name.startswith(".")
    }
    return sorted(names)


@contextmanager
def _opened(source: Path) -> Iterator[Path | zipfile.Path]:
    """The folder, on disk or in a zip, that holds ``Sentences`` and ``Annotations``."""
    inner = source / "annotations.zip"
    if source.is_dir() and not _has_both(source) and inner.is_file():
        source = inner
    if source.is_dir():
        yield _root(source, source)
        return
    try:
        archive = zipfile.ZipFile(source)
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror}") from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:  # a forged version, place or name
        raise DataError(f"{source}: not a zip that can be read ({error})") from None
    with archive:
        yield _root(zipfile.Path(archive), source)


def _root(top: Path | zipfile.Path, source: Path) -> Path | zipfile.Path:
    folders = [top, *sorted((child for child in top.iterdir() if child.is_dir()), key=str)]
    for folder in folders:
        if _has_both(folder):
            return folder
    raise DataError(f"{source}: no {LAYOUT}")


def _has_both(folder: Path | zipfile.Path) -> bool:
    return (folder / "Sentences").is_dir() and (folder / "Annotations").is_dir()


@dataclass(frozen=True)
class _Pictures:
    """File names of the images folder by their id: the stem, or the part of the stem before ``_``."""

    folder: Path
    by_stem: Mapping[str, Sequence[str]]
    by_prefix: Mapping[str, Sequence[str]]

    @classmethod
    def index(cls, folder: Path) -> _Pictures:
        by_stem: dict[str, list[str]] = {}
        by_prefix: dict[str, list[str]] = {}
        folders = False
        for path in sorted(folder.iterdir()):
            folders = folders or path.is_dir()
            if is_picture(path.name) and not path.name.startswith("."):
                by_stem.setdefault(path.stem, []).append(path.name)
                by_prefix.setdefault(path.stem.partition("_")[0], []).append(path.name)
        if not by_stem and not folders:  # annotations may name pictures in folders
            raise DataError(f"no pictures in {folder}; name the images folder of the data set")
        return cls(folder, by_stem, by_prefix)

    def of(self, name: str, filename: str) -> Sequence[str]:
        """Pictures of an id, or the one of that file name; more than one means that the id is ambiguous."""
        path = PurePosixPath(filename)
        if filename and not path.is_absolute() and ".." not in path.parts and os.path.isfile(self.folder / path):
            return [filename]
        return self.by_stem.get(name) or self.by_prefix.get(name, ())


def write(path: Path, records: Iterable[GroundedImage]) -> Written:
    """Write a new folder, or a zip if ``path`` ends so; pictures are named in the annotations, not copied.

    It holds ``Sentences/<id>.txt``, ``Annotations/<id>.xml``, and ``train.txt``, ``val.txt``, ``test.txt`` with the ids
    of each split. The id is the key without its ending, ``/`` written as ``_``. Phrases of one image with the same
    boxes are one chain; its type is ``other``, or ``scene`` for the whole image, which keeps its box. Boxes are rounded
    to whole pixels, and line breaks in captions become spaces, so spans stay.

    Tags can neither overlap nor hold brackets: phrases that do are counted as dropped. A caption that has a tag itself
    is left out.

    Raises
    ------
    DataError
        If ``path`` is not new or cannot be written.
    """
    fitted, stems, chain_ids = FittedRecords(records), UniqueStems(), count(1)
    splits: dict[str, list[str]] = {}
    tagged = 0
    with replacing_folder_or_zip(path) as put:
        for record in fitted:
            name = stems.of(record.key, flat=True)
            chains: _Chains = {}
            lines = []
            for number, caption in enumerate(record.captions):
                if "[/EN#" in caption.text:
                    fitted.leave_out(f"{record.key}#{number}", [caption], "it contains '[/EN#', the tag of Entities")
                    continue
                line, phrases = _tag(caption, record, chains, chain_ids)
                lines.append(line)
                tagged += phrases
            put(f"Sentences/{name}.txt", _text(lines))
            put(f"Annotations/{name}.xml", _xml(record, chains))
            splits.setdefault(record.split, []).append(name)
        for split, names in splits.items():
            put(f"{split}.txt", _text(names))
    report = fitted.report()
    return replace(report, phrases=tagged, dropped=report.dropped + report.phrases - tagged)


def _tag(caption: GroundedCaption, record: GroundedImage, chains: _Chains, chain_ids: Iterator[int]) -> tuple[str, int]:
    """The caption with its tags, and how many phrases are in them; new chains are added to ``chains``."""
    text = re.sub(r"[\r\n]", " ", caption.text)
    parts, at, tagged = [], 0, 0
    usable = (phrase for phrase in caption.phrases if phrase.text.strip() and not set("[]") & set(phrase.text))
    for (start, end), phrases in without_overlap(usable):
        words = text[start:end]
        first, last = start + len(words) - len(words.lstrip()), start + len(words.rstrip())
        boxes = frozenset(_corners(phrase.box, record.width, record.height) for phrase in phrases)
        if boxes not in chains:
            chains[boxes] = str(next(chain_ids))
        kind = "scene" if all(phrase.whole_image for phrase in phrases) else "other"
        parts += [text[at:first], f"[/EN#{chains[boxes]}/{kind} {text[first:last]}]"]
        at = last
        tagged += len(phrases)
    return "".join([*parts, text[at:]]), tagged


def _corners(box: Box, width: int, height: int) -> _Corners:
    """First and last pixel of a box, counted from 1, as near as whole pixels come.

    Examples
    --------
    >>> _corners(Box(0, 10.4, 40, 11.6), width=40, height=30), _corners(Box(39.6, 0, 40, 0.2), width=40, height=30)
    ((1, 11, 40, 12), (40, 1, 40, 1))
    """
    x1, y1 = min(round(box.x1), width - 1) + 1, min(round(box.y1), height - 1) + 1
    return x1, y1, max(round(box.x2), x1), max(round(box.y2), y1)


def _xml(record: GroundedImage, chains: Mapping[frozenset[_Corners], str]) -> bytes:
    root = Element("annotation")
    SubElement(root, "filename").text = _NOT_XML.sub("?", record.key)
    size = SubElement(root, "size")
    for name, value in (("width", record.width), ("height", record.height), ("depth", 3)):
        SubElement(size, name).text = str(value)
    owners: dict[_Corners, list[str]] = {}
    for boxes, chain in chains.items():
        for corners in sorted(boxes):
            owners.setdefault(corners, []).append(chain)
    for corners, names in owners.items():
        item = SubElement(root, "object")
        for name in names:
            SubElement(item, "name").text = name
        box = SubElement(item, "bndbox")
        for edge, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
            SubElement(box, edge).text = str(value)
    indent(root)
    return tostring(root, encoding="utf-8") + b"\n"


def _text(lines: Iterable[str]) -> bytes:
    text = "".join(f"{line}\n" for line in lines)
    return text.encode("utf-8-sig" if text.startswith("\ufeff") else "utf-8")  # a reader takes the first mark away
